package task

import (
	"context"
	"encoding/json"
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
