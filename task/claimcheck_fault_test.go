package task

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// TestPayloadLost: what cannot be had is retried, then dead-lettered with the
// reason and the reference; the task never runs without its arguments. Put
// right, and redriven, it runs.
func TestPayloadLost(t *testing.T) {
	onBothQueues(t, 3, func(t *testing.T, r *rig) {
		o := newObjects(t)
		store := o.store(nil)
		c := NewClient(r.q, &ClientOptions{Payloads: store, Threshold: 1000})
		var runs atomic.Int64
		def := Define("t", func(context.Context, blobArgs) error { runs.Add(1); return nil })
		for what, c2 := range map[string]struct {
			harm func(key string) error
			want error
		}{
			"deleted":   {func(key string) error { return o.bucket.Delete(t.Context(), key) }, payload.ErrMissing},
			"truncated": {func(key string) error { return o.bucket.WriteAll(t.Context(), key, []byte(`{"N":`), nil) }, payload.ErrAltered},
			"altered": {func(key string) error {
				data := must[[]byte](t)(o.bucket.ReadAll(t.Context(), key))
				data[len(data)-10] ^= 1
				return o.bucket.WriteAll(t.Context(), key, data, nil)
			}, payload.ErrAltered},
		} {
			must[string](t)(def.Enqueue(t.Context(), c, large(1, 5000), ID(what)))
			key := o.keys()[0]
			whole := must[[]byte](t)(o.bucket.ReadAll(t.Context(), key))
			if err := c2.harm(key); err != nil {
				t.Fatal(err)
			}
			var failures atomic.Int64
			options := WorkerOptions{Tasks: []Definition{def}, Payloads: store, Backoff: quick, OnResult: func(x Result) {
				var e *PayloadError
				if errors.As(x.Err, &e) && errors.Is(x.Err, c2.want) {
					failures.Add(1)
				} else {
					t.Errorf("%s: %+v", what, x)
				}
			}}
			stop := r.work(options)
			until(t, what+" is dead-lettered", func() bool { return r.left("default-dead") == "1 0 0" })
			r.stop(stop)
			if failures.Load() != 3 || runs.Load() != 0 {
				t.Errorf("%s: %d failures, %d runs", what, failures.Load(), runs.Load())
			}
			letter := must[[]queue.Message](t)(r.s.Queue("default-dead").Receive(t.Context(), queue.ReceiveOptions{Max: 1}))[0]
			if e, err := Decode(letter.Body); err != nil || e.Ref == nil || e.Ref.URL != store.URL()+"/"+key {
				t.Errorf("%s: the letter has lost its reference: %s", what, letter.Body)
			}
			if reason := letter.Attributes[AttributeError].String; !strings.Contains(reason, c2.want.Error()) || !strings.Contains(reason, key) {
				t.Errorf("%s: the reason is %q", what, reason)
			}
			if what != "deleted" && len(o.keys()) != 1 {
				t.Errorf("%s: the payload of a dead letter is gone", what)
			}
			if err := o.bucket.WriteAll(t.Context(), key, whole, nil); err != nil {
				t.Fatal(err)
			}
			must[[]queue.Sent](t)(r.q.Send(t.Context(), queue.Outgoing{Body: letter.Body, Attributes: letter.Attributes, Delay: -1}))
			must[[]error](t)(r.s.Queue("default-dead").Delete(t.Context(), letter.Receipt))
			options.OnResult = nil
			stop = r.work(options)
			until(t, what+" runs after all", func() bool { return runs.Load() == 1 && len(o.keys()) == 0 })
			r.stop(stop)
			r.expect("default", "0 0 0")
			r.expect("default-dead", "0 0 0")
			runs.Store(0)
		}
	})
}

// TestObjectStoreFails: while the store is away, or hangs, tasks fail and are
// retried; a worker without one says what it lacks.
func TestObjectStoreFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5, nil)
	o := newObjects(t)
	store, patient := o.store(&payload.Options{Timeout: 2 * time.Second}), o.store(nil)
	c := NewClient(r.q, &ClientOptions{Payloads: patient, Threshold: 1000})
	var runs atomic.Int64
	def := Define("t", func(_ context.Context, a blobArgs) error { runs.Add(1); return nil })
	failures := map[string]func(w http.ResponseWriter, r *http.Request){
		"refuses": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"cut off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"hangs":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"stops in the middle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5018")
			fmt.Fprint(w, `{"N":1`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	}
	for what, failure := range failures {
		id := must[string](t)(def.Enqueue(t.Context(), c, large(1, 5000)))
		runs.Store(0)
		r.mu.Lock()
		r.seen = nil
		r.mu.Unlock()
		o.fail(func(w http.ResponseWriter, req *http.Request) bool {
			if req.Method != http.MethodGet || len(r.results()) == 2 {
				return false
			}
			failure(w, req)
			return true
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Payloads: store, Backoff: quick})
		until(t, what+": done", func() bool { return r.left("default") == "0 0 0" && len(r.results()) == 3 })
		r.stop(stop)
		o.fail(nil)
		if got := fmt.Sprint(r.results()); got != fmt.Sprintf("[done %s 3 retried %[1]s 1 retried %[1]s 2]", id) || runs.Load() != 1 {
			t.Errorf("%s: %s, %d runs", what, got, runs.Load())
		}
		if left := o.keys(); len(left) > 0 {
			t.Errorf("%s: left are %q", what, left)
		}
	}
	// Nothing is sent that is not stored.
	o.fail(func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	if _, err := def.Enqueue(t.Context(), c, large(1, 5000)); err == nil {
		t.Error("enqueued without its arguments")
	}
	if ids, err := def.EnqueueMany(t.Context(), c, []blobArgs{large(1, 5000), large(2, 5000)}); err == nil || fmt.Sprint(ids) != "[ ]" {
		t.Errorf("enqueued without their arguments: %q, %v", ids, err)
	}
	o.fail(nil)
	r.expect("default", "0 0 0")
	must[string](t)(def.Enqueue(t.Context(), c, large(1, 5000)))
	stop := r.work(WorkerOptions{Tasks: []Definition{def}, Backoff: quick})
	until(t, "dead-lettered", func() bool { return r.left("default-dead") == "1 0 0" })
	r.stop(stop)
	if got := r.letters()[0].Attributes[AttributeError].String; !strings.Contains(got, "WorkerOptions.Payloads") {
		t.Errorf("a worker without a store: %q", got)
	}
}

// TestDuplicateOfLarge: a copy of a message whose task is done finds no payload,
// and is dead-lettered saying so. It does not run without.
func TestDuplicateOfLarge(t *testing.T) {
	onBothQueues(t, 2, func(t *testing.T, r *rig) {
		o := newObjects(t)
		store := o.store(nil)
		def := Define("t", func(_ context.Context, a blobArgs) error {
			if len(a.Text) != 5000 {
				t.Error("it ran without its arguments")
			}
			return nil
		})
		c := NewClient(r.q, &ClientOptions{Payloads: store, Threshold: 1000})
		must[string](t)(def.Enqueue(t.Context(), c, large(1, 5000)))
		m := must[[]queue.Message](t)(r.q.Receive(t.Context(), queue.ReceiveOptions{Max: 1}))[0]
		must[[]error](t)(r.q.ChangeVisibility(t.Context(), queue.VisibilityChange{Receipt: m.Receipt}))
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Payloads: store, Backoff: quick, Concurrency: 1})
		until(t, "it is done", func() bool { return r.left("default") == "0 0 0" && len(o.keys()) == 0 })
		must[[]queue.Sent](t)(r.q.Send(t.Context(), queue.Outgoing{Body: m.Body, Delay: -1}))
		until(t, "its copy is a dead letter", func() bool { return r.left("default-dead") == "1 0 0" })
		r.stop(stop)
		if got := r.letters()[0].Attributes[AttributeError].String; !strings.Contains(got, "its task was done by another delivery, or it was deleted") {
			t.Errorf("the reason is %q", got)
		}
	})
}
