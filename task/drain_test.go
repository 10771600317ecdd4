package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// faulty is an engine whose operations a test makes fail.
type faulty struct {
	driver.Service
	change  func([]driver.VisibilityChange) error
	delete  func() error
	send    func(name string) error
	receive func() error
	// lost makes the failure of an operation come after its effect.
	lost bool
}

func (f *faulty) ChangeVisibility(ctx context.Context, name string, c []driver.VisibilityChange) ([]error, error) {
	if f.change != nil {
		if err := f.change(c); err != nil {
			if f.lost {
				f.Service.ChangeVisibility(ctx, name, c)
			}
			return nil, err
		}
	}
	return f.Service.ChangeVisibility(ctx, name, c)
}

func (f *faulty) Delete(ctx context.Context, name string, receipts []string) ([]error, error) {
	if f.delete != nil {
		if err := f.delete(); err != nil {
			if f.lost {
				f.Service.Delete(ctx, name, receipts)
			}
			return nil, err
		}
	}
	return f.Service.Delete(ctx, name, receipts)
}

func (f *faulty) Send(ctx context.Context, name string, m []driver.Outgoing) ([]driver.Sent, error) {
	if f.send != nil {
		if err := f.send(name); err != nil {
			if f.lost {
				f.Service.Send(ctx, name, m)
			}
			return nil, err
		}
	}
	return f.Service.Send(ctx, name, m)
}

func (f *faulty) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	if f.receive != nil && name == "default" {
		if err := f.receive(); err != nil {
			if f.lost {
				f.Service.Receive(ctx, name, o)
			}
			return nil, err
		}
	}
	return f.Service.Receive(ctx, name, o)
}

var errInjected = errors.New("injected")

// TestLeaseLost: whichever way a lease is lost, the run is told, its success
// is not acknowledged, and the task runs again.
func TestLeaseLost(t *testing.T) {
	for _, c := range []struct {
		what string
		fail func(*rig) func([]driver.VisibilityChange) error
	}{
		{"heartbeats do not get through", func(*rig) func([]driver.VisibilityChange) error {
			return func([]driver.VisibilityChange) error { return errInjected }
		}},
		{"the queue says so", func(*rig) func([]driver.VisibilityChange) error {
			return func([]driver.VisibilityChange) error { return fmt.Errorf("x: %w", queue.ErrNotInFlight) }
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var broken atomic.Bool
				broken.Store(true)
				f := &faulty{}
				r := newRig(t, 5, func(d driver.Service) driver.Service { f.Service = d; return f })
				fail := c.fail(r)
				f.change = func(v []driver.VisibilityChange) error {
					if broken.Load() {
						return fail(v)
					}
					return nil
				}
				var causes []error
				slow := Define("slow", func(ctx context.Context, _ int) error {
					if i, _ := Info(ctx); i.Attempt > 1 {
						broken.Store(false)
						return nil
					}
					select {
					case <-ctx.Done():
						causes = append(causes, context.Cause(ctx))
					case <-time.After(time.Hour):
					}
					return nil // it has done its work all the same
				})
				must[string](t)(slow.Enqueue(t.Context(), r.c, 1, ID("a")))
				stop := r.work(WorkerOptions{Tasks: []Definition{slow}, Concurrency: 4})
				time.Sleep(5 * time.Minute)
				r.stop(stop)
				if len(causes) != 1 || !errors.Is(causes[0], ErrLeaseLost) {
					t.Errorf("causes: %v", causes)
				}
				if d := cmp.Diff([]string{"done a 2", "lost a 1"}, r.results()); d != "" {
					t.Error(d)
				}
				r.expect("default", "0 0 0")
			})
		})
	}
}

// TestRetryDuringHeartbeat: a heartbeat that is under way when a task fails
// does not undo the pause of its retry.
func TestRetryDuringHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{}
		r := newRig(t, 5, func(d driver.Service) driver.Service { f.Service = d; return f })
		f.change = func(c []driver.VisibilityChange) error {
			if c[0].Visibility == 30*time.Second { // a heartbeat, at 10 s
				time.Sleep(5 * time.Second)
			}
			return nil
		}
		begin := time.Now()
		var at []time.Duration
		task := Define("t", func(context.Context, int) error {
			at = append(at, time.Since(begin))
			if len(at) > 1 {
				return nil
			}
			time.Sleep(12 * time.Second)
			return RetryAfter(errInjected, 10*time.Second)
		})
		must[string](t)(task.Enqueue(t.Context(), r.c, 1))
		stop := r.work(WorkerOptions{Tasks: []Definition{task}})
		time.Sleep(2 * time.Minute)
		r.stop(stop)
		if d := cmp.Diff([]time.Duration{0, 25 * time.Second}, at); d != "" {
			t.Error(d)
		}
	})
}

// TestAcknowledgedInTheEnd: a success that could not be acknowledged at once
// is not run again.
func TestAcknowledgedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{}
		r := newRig(t, 5, func(d driver.Service) driver.Service { f.Service = d; return f })
		calls := 0
		f.delete = func() error {
			if calls++; calls < settleTries {
				return errInjected
			}
			return nil
		}
		task := Define("t", func(context.Context, int) error { return nil })
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
		stop := r.work(WorkerOptions{Tasks: []Definition{task}})
		time.Sleep(2 * time.Minute)
		r.stop(stop)
		r.expect("default", "0 0 0")
		if d := cmp.Diff([]string{"done a 1"}, r.results()); d != "" {
			t.Error(d)
		}
	})
}

// TestDrain: what becomes of tasks when the worker is told to stop.
func TestDrain(t *testing.T) {
	for _, c := range []struct {
		what    string
		fn      func(context.Context) error
		took    time.Duration // of the drain
		err     string        // of Run
		results []string
		left    string // in the queue
	}{
		{"finishes in time", func(ctx context.Context) error { time.Sleep(10 * time.Second); return ctx.Err() },
			9 * time.Second, "", []string{"done a 1"}, "0 0 0"},
		{"fails in time", func(ctx context.Context) error { time.Sleep(10 * time.Second); return errInjected },
			9 * time.Second, "", []string{"retried a 1"}, "0 0 1"},
		{"ends when told to", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) },
			30 * time.Second, "", []string{"returned a 1"}, "1 0 0"},
		{"succeeds when told to", func(ctx context.Context) error { <-ctx.Done(); return nil },
			30 * time.Second, "", []string{"done a 1"}, "0 0 0"},
		{"ignores it", func(ctx context.Context) error { time.Sleep(time.Hour); return nil },
			35 * time.Second, "1 tasks ignored", []string{"returned a 1"}, "1 0 0"},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 5, nil)
				task := Define("t", func(ctx context.Context, _ int) error { return c.fn(ctx) })
				must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
				stop := r.work(WorkerOptions{Tasks: []Definition{task}, Backoff: Backoff{Floor: time.Second}})
				time.Sleep(time.Second)
				begin := time.Now()
				err := stop()
				if took := time.Since(begin).Truncate(time.Second); took != c.took {
					t.Errorf("the drain took %v, not %v", took, c.took)
				}
				if (c.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("Run: %v", err)
				}
				if d := cmp.Diff(c.results, r.results()); d != "" {
					t.Error(d)
				}
				r.expect("default", c.left)
				time.Sleep(2 * time.Hour) // for what ignores it
			})
		})
	}
}

// TestGivenBackOnLastAttempt: stopping a worker never dead-letters a task.
func TestGivenBackOnLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, nil)
		runs := 0
		task := Define("t", func(ctx context.Context, _ int) error {
			if runs++; runs > 7 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
		for range 8 {
			stop := r.work(WorkerOptions{Tasks: []Definition{task}, DrainTimeout: time.Second})
			time.Sleep(time.Second)
			r.stop(stop)
		}
		r.expect("default", "0 0 0")
		r.expect("default-dead", "0 0 0")
		want := []string{"done a 2", "returned a 1", "returned a 1", "returned a 1", "returned a 1", "returned a 2", "returned a 2", "returned a 2"}
		if d := cmp.Diff(want, r.results()); d != "" {
			t.Error(d)
		}
	})
}

// TestAbandoned: a task that ignores its timeout keeps neither its slot nor
// its message.
func TestAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, nil)
		release := make(chan struct{})
		stuck := Define("stuck", func(context.Context, int) error { <-release; return nil }, Timeout(10*time.Second))
		quick := Define("quick", func(context.Context, int) error { return nil })
		must[string](t)(stuck.Enqueue(t.Context(), r.c, 1, ID("stuck")))
		stop := r.work(WorkerOptions{Tasks: []Definition{stuck, quick}, Concurrency: 1, Backoff: Backoff{Max: time.Second}})
		time.Sleep(14 * time.Second)
		must[string](t)(quick.Enqueue(t.Context(), r.c, 1, ID("quick")))
		time.Sleep(2 * time.Second)
		if d := cmp.Diff([]string{"done quick 1", "retried stuck 1"}, r.results()); d != "" {
			t.Error(d)
		}
		time.Sleep(time.Minute)
		r.stop(stop)
		letters := r.letters()
		if len(letters) != 1 || !strings.Contains(letters[0].Attributes[AttributeError].String, errAbandoned.Error()) {
			t.Errorf("%+v", letters)
		}
		close(release)
	})
}

// TestFaultsOfTheQueue fails the n-th call of each operation, and a run of
// calls, before and after it took effect: no task is lost, and none is in
// neither queue.
func TestFaultsOfTheQueue(t *testing.T) {
	for _, op := range []string{"send", "receive", "delete", "change"} {
		for from := 1; from <= 3; from++ {
			for _, length := range []int{1, 20} {
				for _, lost := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s %d+%d lost=%v", op, from, length, lost), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { faultsOfTheQueue(t, op, from, length, lost) })
					})
				}
			}
		}
	}
}

func faultsOfTheQueue(t *testing.T, op string, from, length int, lost bool) {
	f := &faulty{}
	r := newRig(t, 4, func(d driver.Service) driver.Service { f.Service = d; return f })
	var mu sync.Mutex
	ran := map[string]int{}
	task := Define("t", func(ctx context.Context, n int) error {
		time.Sleep(time.Duration(n) * 3 * time.Second)
		i, _ := Info(ctx)
		mu.Lock()
		defer mu.Unlock()
		ran[i.ID]++
		switch {
		case n%4 == 1:
			return Permanent(errInjected)
		case n%4 == 2 && i.Attempt == 1:
			return RetryAfter(errInjected, time.Second)
		}
		return nil
	})
	args := make([]int, 24)
	for i := range args {
		args[i] = i
	}
	ids := must[[]string](t)(task.EnqueueMany(t.Context(), r.c, args))
	var calls atomic.Int64
	fail := func() error {
		if n := int(calls.Add(1)); n >= from && n < from+length {
			return errInjected
		}
		return nil
	}
	f.lost = lost
	switch op {
	case "send":
		f.send = func(string) error { return fail() }
	case "receive":
		f.receive = fail
	case "delete":
		f.delete = fail
	case "change":
		f.change = func([]driver.VisibilityChange) error { return fail() }
	}
	stop := r.work(WorkerOptions{Tasks: []Definition{task}, Concurrency: 10, Backoff: Backoff{Max: time.Minute}})
	for range 120 {
		if time.Sleep(30 * time.Second); r.left("default") == "0 0 0" {
			break
		}
	}
	r.stop(stop)
	r.expect("default", "0 0 0")
	var dead []string
	for m := r.letters(); len(m) > 0; m = r.letters() {
		for _, m := range m {
			e, err := Decode(m.Body)
			if err != nil {
				t.Fatal(err)
			}
			dead = append(dead, e.ID)
		}
	}
	for i, id := range ids {
		// Deliveries that are lost on the way count for the queue, which
		// dead-letters by itself after four.
		if ran[id] == 0 && !slices.Contains(dead, id) {
			t.Errorf("%d neither ran nor is dead-lettered", i)
		}
		if i%4 == 1 && !slices.Contains(dead, id) {
			t.Errorf("%d failed for good and is not dead-lettered", i)
		}
	}
}

// TestStartStop: workers come and go while tasks arrive; every task runs and
// nothing of a worker is left behind, which the bubble's end sees to.
func TestStartStop(t *testing.T) {
	r := newRig(t, 1000, nil)
	const tasks = 600
	var mu sync.Mutex
	ran := map[int]int{}
	task := Define("t", func(ctx context.Context, n int) error {
		if n%7 == 0 {
			select {
			case <-time.After(2 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		mu.Lock()
		defer mu.Unlock()
		ran[n]++
		return nil
	})
	enqueued := make(chan struct{})
	go func() {
		defer close(enqueued)
		for n := range tasks {
			if _, err := task.Enqueue(context.Background(), r.c, n); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	all := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(ran) == tasks
	}
	deadline := time.Now().Add(5 * time.Minute)
	for n := 0; !all(); n++ {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d tasks ran", len(ran), tasks)
		}
		var stops []func() error
		for range 1 + n%3 {
			stops = append(stops, r.work(WorkerOptions{
				Tasks: []Definition{task}, Concurrency: 1 + n%20, DrainTimeout: time.Duration(1+n%3) * time.Millisecond,
				Visibility: time.Second,
			}))
		}
		time.Sleep(time.Duration(n%10) * time.Millisecond)
		for _, stop := range stops {
			r.stop(stop)
		}
	}
	<-enqueued
	twice := 0
	for _, n := range ran {
		twice += n - 1
	}
	t.Logf("%d of %d ran more than once", twice, tasks)
}
