package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// rig is a queue of the embedded engine with its dead-letter queue.
type rig struct {
	t    *testing.T
	s    *queue.Service
	q    *queue.Queue
	c    *Client
	mu   sync.Mutex
	seen []string // results, as "outcome id attempt"
}

// newRig opens an engine; wrap, if not nil, puts something around it.
func newRig(t *testing.T, attempts int, wrap func(driver.Service) driver.Service) *rig {
	t.Helper()
	e, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var d driver.Service = e
	if wrap != nil {
		d = wrap(e)
	}
	s := queue.New(d)
	t.Cleanup(func() { s.Close() })
	r := &rig{t: t, s: s, q: s.Queue("default")}
	r.c = NewClient(r.q, nil)
	make := func(name string, a queue.Attributes) {
		if err := s.CreateQueue(context.Background(), name, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	make("default-dead", queue.Attributes{})
	make("default", queue.Attributes{DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: attempts}})
	return r
}

func (r *rig) result(x Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, fmt.Sprintf("%s %s %d", x.Outcome, x.Run.ID, x.Run.Attempt))
}

func (r *rig) results() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := slices.Clone(r.seen)
	slices.Sort(s)
	return s
}

// work starts a worker; stop ends it and returns what Run did.
func (r *rig) work(o WorkerOptions) (stop func() error) {
	r.t.Helper()
	if o.OnResult == nil {
		o.OnResult = r.result
	}
	w, err := NewWorker(r.q, o)
	if err != nil {
		r.t.Fatal(err)
	}
	w.lastPoll = time.Millisecond // the engine is in this process
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func (r *rig) stop(stop func() error) {
	r.t.Helper()
	if err := stop(); err != nil {
		r.t.Error(err)
	}
}

// left is what the queue holds: visible, delayed, in flight.
func (r *rig) left(name string) string {
	r.t.Helper()
	d, err := r.s.Describe(context.Background(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprint(d.Visible, d.Delayed, d.InFlight)
}

func (r *rig) expect(name, want string) {
	r.t.Helper()
	if got := r.left(name); got != want {
		r.t.Errorf("%s holds %s, not %s (visible, delayed, in flight)", name, got, want)
	}
}

func (r *rig) letters() []queue.Message {
	r.t.Helper()
	m, err := r.s.Queue("default-dead").Receive(context.Background(), queue.ReceiveOptions{Max: 10, Visibility: -1})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

type mailArgs struct {
	To string
	N  int
}

func TestRunsWithArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 5, nil)
		got := make(chan string, 100)
		mail := Define("mail", func(ctx context.Context, a mailArgs) error {
			i, ok := Info(ctx)
			got <- fmt.Sprintf("%v|%s|%s|%d|%s|%s|%s|%v|%v",
				a, i.Task, i.ID, i.Attempt, i.Queue, i.Source, i.Traceparent, time.Since(i.Enqueued), ok)
			return nil
		})
		r.c.o.Traceparent = func(context.Context) string { return "00-x" }
		id := must[string](t)(mail.Enqueue(t.Context(), r.c, mailArgs{"a@b", 7}))
		must[string](t)(EnqueueNamed(t.Context(), r.c, "mail", json.RawMessage(`{"To":"c","Newer":1}`), ID("second")))
		must[string](t)(EnqueueNamed(t.Context(), r.c, "mail", nil, ID("third")))
		stop := r.work(WorkerOptions{Tasks: []Definition{mail}, Concurrency: 1})
		for _, want := range []string{
			"{a@b 7}|mail|" + id + "|1|default|dayfly|00-x|0s|true",
			"{c 0}|mail|second|1|default|dayfly|00-x|0s|true",
			"{ 0}|mail|third|1|default|dayfly|00-x|0s|true",
		} {
			if d := cmp.Diff(want, <-got); d != "" {
				t.Error(d)
			}
		}
		r.stop(stop)
		r.expect("default", "0 0 0")
		if _, ok := Info(t.Context()); ok {
			t.Error("Info outside of a run")
		}
	})
}

func TestEnqueueMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 5, nil)
		var mu sync.Mutex
		ran := map[string]int{}
		count := Define("count", func(ctx context.Context, n int) error {
			i, _ := Info(ctx)
			mu.Lock()
			defer mu.Unlock()
			ran[i.ID] = n
			return nil
		})
		args := make([]int, 1003)
		for i := range args {
			args[i] = i
		}
		ids := must[[]string](t)(count.EnqueueMany(t.Context(), r.c, args))
		stop := r.work(WorkerOptions{Tasks: []Definition{count}})
		time.Sleep(time.Second)
		r.stop(stop)
		for i, id := range ids {
			if n, ok := ran[id]; !ok || n != i {
				t.Fatalf("%s ran with %d (%v), not %d", id, n, ok, i)
			}
		}
		r.expect("default", "0 0 0")

		big := Define("big", func(context.Context, string) error { return nil })
		three := slices.Repeat([]string{strings.Repeat("x", 600_000)}, 3) // two are more than one call takes
		if ids, err := big.EnqueueMany(t.Context(), r.c, three); err != nil || len(ids) != 3 {
			t.Error(ids, err)
		}
		r.expect("default", "3 0 0")
		if _, err := count.EnqueueMany(t.Context(), r.c, []int{1, 2}, ID("one")); err == nil {
			t.Error("one id for two")
		}
		if ids, err := count.EnqueueMany(t.Context(), NewClient(r.s.Queue("none"), nil), args); !errors.Is(err, queue.ErrQueueNotFound) ||
			slices.ContainsFunc(ids, func(s string) bool { return s != "" }) {
			t.Error(err)
		}
	})
}

// TestFailures: what becomes of a task that fails, by how it fails.
func TestFailures(t *testing.T) {
	boom := errors.New("boom \x00 \xff text")
	for _, c := range []struct {
		what     string
		fn       func(context.Context, int) error
		body     string // instead of a task's
		options  []Option
		attempts string // in the dead letter; "" if it is done
		reason   string
		stack    string
	}{
		{what: "always", fn: func(context.Context, int) error { return boom }, attempts: "3", reason: "boom \ufffd \ufffd text"},
		{what: "fewer attempts", fn: func(context.Context, int) error { return boom }, options: []Option{Attempts(2)}, attempts: "2", reason: "boom"},
		{what: "more than the queue delivers", fn: func(context.Context, int) error { return boom }, options: []Option{Attempts(9)}, attempts: "3", reason: "boom"},
		{what: "permanent", fn: func(context.Context, int) error { return fmt.Errorf("x: %w", Permanent(boom)) }, attempts: "1", reason: "x: boom"},
		{what: "panic", fn: func(context.Context, int) error { panic("ouch") }, attempts: "3", reason: "panic: ouch", stack: "worker_test.go"},
		{what: "exit", fn: func(context.Context, int) error { runtime.Goexit(); return nil }, attempts: "3", reason: "exited"},
		{what: "third time lucky", fn: func(ctx context.Context, _ int) error {
			if i, _ := Info(ctx); i.Attempt < 3 {
				return boom
			}
			return nil
		}},
		{what: "no message of ours", body: "<xml/>", attempts: "1", reason: "not a task message: JSON: invalid character"},
		{what: "unknown", body: `{"specversion":"1.0","id":"1","source":"s","type":"other"}`, attempts: "3", reason: `unknown task "other"`},
		{what: "other arguments", body: `{"specversion":"1.0","id":"1","source":"s","type":"t","data":"x"}`, attempts: "3", reason: "arguments of t"},
		{what: "timeout", fn: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() },
			options: []Option{Timeout(time.Second)}, attempts: "3", reason: "timeout after 1s"},
		{what: "long text", fn: func(context.Context, int) error { return Permanent(errors.New(strings.Repeat("ä", 10_000))) }, attempts: "1", reason: "äää"},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 3, nil)
				if c.fn == nil {
					c.fn = func(context.Context, int) error { return nil }
				}
				task := Define("t", c.fn, c.options...)
				if c.body == "" {
					c.body = must[string](t)((&Event{ID: "1", Source: "s", Type: "t", Data: []byte("7")}).Encode())
				}
				must[[]queue.Sent](t)(r.q.Send(t.Context(), queue.Outgoing{Body: c.body, Delay: -1}))
				stop := r.work(WorkerOptions{Tasks: []Definition{task}, Concurrency: 1})
				time.Sleep(time.Minute)
				r.stop(stop)
				r.expect("default", "0 0 0")
				letters := r.letters()
				if c.attempts == "" {
					if len(letters) > 0 {
						t.Errorf("dead-lettered: %v", letters)
					}
					return
				}
				if len(letters) != 1 || letters[0].Body != c.body {
					t.Fatalf("dead letters: %+v", letters)
				}
				a := letters[0].Attributes
				if a[AttributeAttempts].String != c.attempts || a[AttributeQueue].String != "default" ||
					!strings.Contains(a[AttributeError].String, c.reason) || len(a[AttributeError].String) > maxErrorText ||
					!strings.Contains(a[AttributeStack].String, c.stack) || (c.stack == "") != (a[AttributeStack].String == "") {
					t.Errorf("attributes %+v", a)
				}
				if _, err := time.Parse(time.RFC3339Nano, a[AttributeFailedAt].String); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestDeadWorkers: a task whose workers die with it is not run for ever.
func TestDeadWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 9, nil)
		task := Define("t", func(context.Context, int) error { t.Error("it ran"); return nil }, Attempts(2))
		must[string](t)(task.Enqueue(t.Context(), r.c, 1))
		for range 2 { // received by what says no more of it
			must[[]queue.Message](t)(r.q.Receive(t.Context(), queue.ReceiveOptions{Max: 1, Visibility: time.Second, Wait: 5 * time.Second}))
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{task}})
		time.Sleep(10 * time.Second)
		r.stop(stop)
		if l := r.letters(); len(l) != 1 || !strings.Contains(l[0].Attributes[AttributeError].String, "delivered 3 times") {
			t.Errorf("%+v", l)
		}
	})
}

// TestBackoff: the pauses between attempts stay within their bounds.
func TestBackoff(t *testing.T) {
	b := Backoff{Min: time.Second, Max: time.Minute, Floor: time.Millisecond}
	for n, most := range map[int]time.Duration{1: 2 * time.Second, 3: 8 * time.Second, 5: 32 * time.Second, 6: time.Minute, 61: time.Minute, 1000: time.Minute} {
		top := time.Duration(0)
		for range 2000 {
			d := b.pause(n)
			if d < b.Floor || d > most {
				t.Fatalf("pause %d is %v", n, d)
			}
			top = max(top, d)
		}
		if top < most*9/10 {
			t.Errorf("of 2,000 pauses after failure %d the longest is %v, far from %v", n, top, most)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 5, nil)
		var at []time.Duration
		begin := time.Now()
		task := Define("t", func(ctx context.Context, _ int) error {
			at = append(at, time.Since(begin))
			if len(at) < 3 {
				return RetryAfter(errors.New("busy"), 90*time.Second)
			}
			return nil
		})
		must[string](t)(task.Enqueue(t.Context(), r.c, 1))
		stop := r.work(WorkerOptions{Tasks: []Definition{task}})
		time.Sleep(5 * time.Minute)
		r.stop(stop)
		if d := cmp.Diff([]time.Duration{0, 90 * time.Second, 180 * time.Second}, at); d != "" {
			t.Error(d)
		}
		if RetryAfter(nil, 1) != nil || Permanent(nil) != nil {
			t.Error("no error became one")
		}
	})
}

// TestHeartbeat: a task of many visibility timeouts runs once.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 5, nil)
		var runs atomic.Int64
		slow := Define("slow", func(ctx context.Context, d time.Duration) error {
			runs.Add(1)
			time.Sleep(d)
			return ctx.Err()
		})
		for i := range 25 {
			must[string](t)(slow.Enqueue(t.Context(), r.c, 10*time.Minute+time.Duration(i)*time.Second))
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{slow}, Concurrency: 30})
		time.Sleep(11 * time.Minute)
		r.stop(stop)
		r.expect("default", "0 0 0")
		if runs.Load() != 25 {
			t.Errorf("%d runs of 25 tasks", runs.Load())
		}
	})
}

// TestDelay: native up to 15 minutes, by the worker beyond.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3, nil)
		begin := time.Now()
		var mu sync.Mutex
		ran := map[string]time.Duration{}
		task := Define("t", func(ctx context.Context, _ int) error {
			i, _ := Info(ctx)
			mu.Lock()
			defer mu.Unlock()
			ran[fmt.Sprint(i.ID, i.Attempt)] = time.Since(begin).Truncate(time.Second)
			return nil
		})
		for id, o := range map[string]EnqueueOption{
			"now": Delay(0), "short": Delay(90 * time.Second), "quarter": Delay(15 * time.Minute), "part": Delay(1500 * time.Millisecond),
			"long": Delay(15*time.Minute + 1), "days": At(begin.Add(49*time.Hour + 7*time.Second)), "past": At(begin.Add(-time.Hour)),
		} {
			must[string](t)(task.Enqueue(t.Context(), r.c, 1, o, ID(id)))
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{task}})
		time.Sleep(50 * time.Hour)
		r.stop(stop)
		r.expect("default", "0 0 0")
		r.expect("default-dead", "0 0 0")
		want := map[string]time.Duration{
			"now1": 0, "past1": 0, "part1": 2 * time.Second, "short1": 90 * time.Second, "quarter1": 15 * time.Minute,
			"long1": 15*time.Minute + time.Second, "days1": 49*time.Hour + 7*time.Second,
		}
		if d := cmp.Diff(want, ran); d != "" {
			t.Error(d)
		}
		if len(r.results()) != len(want) {
			t.Errorf("results %v", r.results())
		}
	})
}

// TestConcurrency: never more at once than allowed, and that many when there
// is work, without taking more from the queue than can run.
func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 5, nil)
		var at, most atomic.Int64
		task := Define("t", func(ctx context.Context, _ int) error {
			for n := at.Add(1); ; {
				m := most.Load()
				if n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			time.Sleep(time.Second)
			at.Add(-1)
			return nil
		})
		must[[]string](t)(task.EnqueueMany(t.Context(), r.c, make([]int, 100)))
		stop := r.work(WorkerOptions{Tasks: []Definition{task}, Concurrency: 13})
		time.Sleep(500 * time.Millisecond)
		r.expect("default", "87 0 13")
		time.Sleep(20 * time.Second)
		r.stop(stop)
		if most.Load() != 13 {
			t.Errorf("%d ran at once, not 13", most.Load())
		}
		if len(r.results()) != 100 {
			t.Errorf("%d ran", len(r.results()))
		}
	})
}

func TestNoDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 5, nil)
		task := Define("t", func(context.Context, int) error { return nil })
		w, err := NewWorker(r.s.Queue("default-dead"), WorkerOptions{Tasks: []Definition{task}})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Run(t.Context()); !errors.Is(err, ErrNoDeadLetter) {
			t.Error(err)
		}
		w, _ = NewWorker(r.s.Queue("none"), WorkerOptions{Tasks: []Definition{task}})
		if err := w.Run(t.Context()); !errors.Is(err, queue.ErrQueueNotFound) {
			t.Error(err)
		}
		w, _ = NewWorker(r.q, WorkerOptions{Tasks: []Definition{task}, DeadLetter: r.s.Queue("default")})
		if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "own queue") {
			t.Error(err)
		}
		w, _ = NewWorker(r.q, WorkerOptions{Tasks: []Definition{task}, DeadLetter: r.s.Queue("none")})
		if err := w.Run(t.Context()); !errors.Is(err, queue.ErrQueueNotFound) {
			t.Error(err)
		}
	})
}

func TestWrongWorkers(t *testing.T) {
	good := Define("t", func(context.Context, int) error { return nil })
	for _, c := range []struct {
		o    WorkerOptions
		want string
	}{
		{WorkerOptions{}, "Tasks"},
		{WorkerOptions{Tasks: []Definition{good, good}}, "two tasks"},
		{WorkerOptions{Tasks: []Definition{Define("a b", func(context.Context, int) error { return nil })}}, "' '"},
		{WorkerOptions{Tasks: []Definition{Define[int]("t", nil)}}, "no function"},
		{WorkerOptions{Tasks: []Definition{Define("t", func(context.Context, int) error { return nil }, Timeout(-1))}}, "timeout"},
		{WorkerOptions{Tasks: []Definition{Define("t", func(context.Context, int) error { return nil }, Attempts(0))}}, "attempts"},
		{WorkerOptions{Tasks: []Definition{good}, Concurrency: -1}, "Concurrency"},
		{WorkerOptions{Tasks: []Definition{good}, Visibility: 1500 * time.Millisecond}, "Visibility"},
		{WorkerOptions{Tasks: []Definition{good}, Wait: time.Minute}, "Wait"},
		{WorkerOptions{Tasks: []Definition{good}, MaxAttempts: 1001}, "MaxAttempts"},
		{WorkerOptions{Tasks: []Definition{good}, Backoff: Backoff{Min: time.Hour}}, "Backoff.Max"},
	} {
		if _, err := NewWorker(nil, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want …%s…", c.o, err, c.want)
		}
	}
	bad := Define("", func(context.Context, int) error { return nil })
	if _, err := bad.Enqueue(t.Context(), nil, 1); err == nil {
		t.Error("a task without a name was enqueued")
	}
}
