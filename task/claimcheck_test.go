package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// TestLargeArguments: arguments of every size come to the task as they were
// given, and leave nothing behind; with several workers, over each queue.
func TestLargeArguments(t *testing.T) {
	onBothQueues(t, 5, func(t *testing.T, r *rig) {
		o := newObjects(t)
		store := o.store(nil)
		c := NewClient(r.q, &ClientOptions{Payloads: store})
		var want []blobArgs
		for i, size := range []int{0, 1000, 200 << 10, 250 << 10, 1 << 20, 10 << 20, 20 << 20} {
			want = append(want, large(i, size))
		}
		for i := range 30 {
			want = append(want, large(len(want), 230<<10+i<<10))
		}
		var mu sync.Mutex
		ran := map[int]int{}
		def := Define("large", func(_ context.Context, a blobArgs) error {
			mu.Lock()
			defer mu.Unlock()
			ran[a.N]++
			if !same(a, want[a.N]) {
				t.Errorf("task %d has other arguments than it was given", a.N)
			}
			return nil
		})
		must[[]string](t)(def.EnqueueMany(t.Context(), c, want))
		stored := len(o.keys())
		if stored < 20 || stored >= len(want) {
			t.Errorf("%d of %d are stored apart", stored, len(want))
		}
		var stops []func() error
		for range 2 {
			stops = append(stops, r.work(WorkerOptions{Tasks: []Definition{def}, Payloads: store}))
		}
		until(t, "nothing is left", func() bool { return r.left("default") == "0 0 0" && len(o.keys()) == 0 })
		for _, stop := range stops {
			r.stop(stop)
		}
		for i := range want {
			if ran[i] != 1 {
				t.Errorf("task %d ran %d times", i, ran[i])
			}
		}
		r.expect("default-dead", "0 0 0")
	})
}

// TestThreshold: what is just within goes in the message, a byte more does not.
func TestThreshold(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	store := must[*payload.Store](t)(payload.New(b, "mem://b", nil))
	r := newRig(t, 5, nil)
	size := func(o *ClientOptions, n int) (int, *Event) {
		c := NewClient(r.q, o)
		must[string](t)(EnqueueNamed(t.Context(), c, "t", json.RawMessage(`"`+strings.Repeat("x", n)+`"`), ID("1")))
		got := must[[]queue.Message](t)(r.q.Receive(t.Context(), queue.ReceiveOptions{Max: 1}))
		must[[]error](t)(r.q.Delete(t.Context(), got[0].Receipt))
		e, err := Decode(got[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		return len(got[0].Body), e
	}
	for _, c := range []struct{ given, threshold int }{{0, 240 << 10}, {1000, 1000}, {MaxMessage, MaxMessage}} {
		o := &ClientOptions{Payloads: store, Threshold: c.given}
		// The time in the message has one to nine digits of a second.
		around, _ := size(o, 0)
		in, e := size(o, c.threshold-around-10)
		if e.Ref != nil || in > c.threshold || in < c.threshold-30 {
			t.Errorf("threshold %d: a message of %d, %+v", c.threshold, in, e.Ref)
		}
		out, e := size(o, c.threshold-around+10)
		if e.Ref == nil || e.Data != nil || out > 600 || e.Ref.Size != int64(c.threshold-around+12) {
			t.Errorf("threshold %d: a message of %d, %+v", c.threshold, out, e.Ref)
		}
	}
	c := NewClient(r.q, nil)
	big := json.RawMessage(`"` + strings.Repeat("x", MaxMessage) + `"`)
	if _, err := EnqueueNamed(t.Context(), c, "t", big); err == nil || !strings.Contains(err.Error(), "ClientOptions.Payloads") {
		t.Errorf("more than a message without a store: %v", err)
	}
	for what, c := range map[string]struct {
		o    ClientOptions
		args string
	}{
		"Threshold":  {ClientOptions{Threshold: -1}, "1"},
		"1048576":    {ClientOptions{Threshold: MaxMessage + 1, Payloads: store}, "1"},
		"not JSON":   {ClientOptions{Payloads: store}, strings.Repeat("x", 300<<10)},
		"in UTF-8":   {ClientOptions{Payloads: store}, `"` + strings.Repeat("\xff", 300<<10) + `"`},
		"too large":  {ClientOptions{Payloads: store}, `"` + strings.Repeat("x", 33<<20) + `"`},
		"later than": {ClientOptions{Payloads: store}, `"` + strings.Repeat("x", 300<<10) + `"`},
	} {
		var options []EnqueueOption
		if what == "later than" {
			options = append(options, Delay(400*24*time.Hour))
		}
		if _, err := EnqueueNamed(t.Context(), NewClient(r.q, &c.o), "t", json.RawMessage(c.args), options...); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.expect("default", "0 0 0")
}

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

// TestReferencesElsewhere: a message leads a worker to no address but its own
// bucket's.
func TestReferencesElsewhere(t *testing.T) {
	onBothQueues(t, 2, func(t *testing.T, r *rig) {
		o := newObjects(t)
		var asked atomic.Int64
		bait := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			fmt.Fprint(w, "{}")
		}))
		defer bait.Close()
		o.fail(func(http.ResponseWriter, *http.Request) bool { asked.Add(1); return false })
		const sum = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of {}
		with := func(url, more string) string {
			return `{"specversion":"1.0","id":"1","source":"s","type":"t","dataref":"` + url + `"` + more + `}`
		}
		good := `,"datasha256":"` + sum + `","datasize":2`
		for body, want := range map[string]string{
			with(bait.URL+"/tasks/2026-11-21/x", good):                                                     "payloads are read from s3://payloads alone",
			with("http://169.254.169.254/latest/meta-data/", good):                                         "payloads are read from",
			with("file:///etc/passwd", good):                                                               "payloads are read from",
			with("s3://others/tasks/2026-11-21/x", good):                                                   "payloads are read from",
			with("s3://payloads/../others/tasks/2026-11-21/", good):                                        "tasks/DATE/NAME",
			with("s3://payloads/invoices/1", good):                                                         "tasks/DATE/NAME",
			with("", good):                                                                                 "the reference is empty",
			with("s3://payloads/tasks/2026-11-21/x", ""):                                                   "datasize",
			with("s3://payloads/tasks/2026-11-21/x", `,"datasize":2`):                                      "64 lower-case hexadecimal digits",
			with("s3://payloads/tasks/2026-11-21/x", `,"datasha256":"`+sum+`","datasize":2.0`):             "whole number",
			with("s3://payloads/tasks/2026-11-21/x", `,"datasha256":"`+sum+`","datasize":-1`):              "whole number",
			with("s3://payloads/tasks/2026-11-21/x", `,"datasha256":"`+sum+`","datasize":99999999999`):     "whole number",
			with("s3://payloads/tasks/2026-11-21/x", `,"datasha256":"`+sum+`","datasize":[2]`):             "whole number",
			with("s3://payloads/tasks/2026-11-21/x", `,"datasha256":["`+sum+`"],"datasize":2`):             "datasha256 is not a string",
			with("s3://payloads/tasks/2026-11-21/x", `,"datasha256":"`+sum+`","datasize":1000000000`):      "too large",
			with("s3://payloads/tasks/2026-11-21/x", good+`,"dataref":"s3://payloads/tasks/2026-01-01/y"`): "comes twice",
		} {
			must[[]queue.Sent](t)(r.q.Send(t.Context(), queue.Outgoing{Body: body, Delay: -1}))
			def := Define("t", func(context.Context, blobArgs) error { t.Error("it ran"); return nil })
			stop := r.work(WorkerOptions{Tasks: []Definition{def}, Payloads: o.store(nil), Backoff: quick})
			until(t, body+" is dead-lettered", func() bool { return r.left("default-dead") == "1 0 0" })
			r.stop(stop)
			letter := must[[]queue.Message](t)(r.s.Queue("default-dead").Receive(t.Context(), queue.ReceiveOptions{Max: 1}))[0]
			if got := letter.Attributes[AttributeError].String; !strings.Contains(got, want) {
				t.Errorf("%s: %q, want …%s…", body, got, want)
			}
			must[[]error](t)(r.s.Queue("default-dead").Delete(t.Context(), letter.Receipt))
		}
		if n := asked.Load(); n != 0 {
			t.Errorf("%d requests were made for references that are not followed", n)
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

// TestPostponedLarge: a task that waits for longer than the queue holds
// messages keeps its reference, and its arguments are kept from when it is due.
func TestPostponedLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memblob.OpenBucket(nil)
		defer b.Close()
		store := must[*payload.Store](t)(payload.New(b, "mem://b", nil))
		r := newRig(t, 5, nil)
		c := NewClient(r.q, &ClientOptions{Payloads: store, Threshold: 1000})
		begun := time.Now()
		const wait = 3 * 24 * time.Hour
		ran := make(chan time.Duration, 1)
		def := Define("t", func(_ context.Context, a blobArgs) error {
			if len(a.Text) != 5000 {
				t.Error("it ran without its arguments")
			}
			ran <- time.Since(begun)
			return nil
		})
		must[string](t)(def.Enqueue(t.Context(), c, large(1, 5000), Delay(wait)))
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Payloads: store, Concurrency: 1, Visibility: time.Hour})
		time.Sleep(wait - time.Hour)
		if n, err := store.Sweep(t.Context(), time.Now().Add(payload.Retention), 100); n > 0 || err != nil {
			t.Fatalf("swept %d, %v", n, err)
		}
		if d := <-ran; d < wait || d > wait+time.Hour {
			t.Errorf("it ran after %v", d)
		}
		r.stop(stop)
		if _, err := b.List(nil).Next(t.Context()); err == nil {
			t.Error("its payload is left")
		}
		r.expect("default-dead", "0 0 0")
	})
}
