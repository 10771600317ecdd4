package task

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// TestCancel: what becomes of a task that is cancelled before, during and after
// its run, and what is on record then.
func TestCancel(t *testing.T) {
	for _, c := range []struct {
		what    string
		fn      func(context.Context) error
		at      time.Duration // of the cancellation, after the enqueue
		delay   time.Duration
		results []string
		want    Cancellation
		dead    string
	}{
		{"before it runs", nil, 0, 10 * time.Second, []string{"cancelled a 1"}, Cancellation{}, "0 0 0"},
		{"delayed by days", nil, 0, 72 * time.Hour, []string{"cancelled a 1"}, Cancellation{}, "0 0 0"},
		{"while it runs", func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}, 3 * time.Second, 0, []string{"cancelled a 1"}, Cancellation{Running: true}, "0 0 0"},
		{"a permanent failure by its end", func(ctx context.Context) error {
			<-ctx.Done()
			return Permanent(context.Cause(ctx))
		}, 3 * time.Second, 0, []string{"cancelled a 1"}, Cancellation{Running: true}, "0 0 0"},
		{"it ignores its context", func(context.Context) error {
			time.Sleep(10 * time.Minute)
			return nil
		}, 3 * time.Second, 0, []string{"cancelled a 1"}, Cancellation{Running: true}, "0 0 0"},
		{"it finishes all the same", func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		}, 3 * time.Second, 0, []string{"done a 1"}, Cancellation{Running: true, Finished: true}, "0 0 0"},
		{"its effect is unknown", func(ctx context.Context) error {
			<-ctx.Done()
			return Permanent(ErrUnknown)
		}, 3 * time.Second, 0, []string{"dead a 1"}, Cancellation{}, "1 0 0"},
		{"while it waits for a retry", func(context.Context) error {
			return RetryAfter(errInjected, time.Minute)
		}, 3 * time.Second, 0, []string{"cancelled a 2", "retried a 1"}, Cancellation{}, "0 0 0"},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s := newRig(t, 5, nil), records.New(memrecords.New())
				task := Define("t", func(ctx context.Context, _ int) error {
					if c.fn == nil {
						t.Error("it ran")
						return nil
					}
					return c.fn(ctx)
				})
				stop := r.work(WorkerOptions{Tasks: []Definition{task}, Concurrency: 4, Records: s})
				must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a"), Delay(c.delay)))
				time.Sleep(c.at)
				asked := must[Cancellation](t)(Cancel(t.Context(), s, "a", By("ann")))
				if !asked.Applied.IsZero() || asked.By != "ann" {
					t.Errorf("asked: %+v", asked)
				}
				time.Sleep(16 * time.Minute)
				r.expect("default", "0 0 0")
				r.expect("default-dead", c.dead)
				if d := cmp.Diff(c.results, r.results()); d != "" {
					t.Error(d)
				}
				got, ordered, err := CancellationOf(t.Context(), s, "a")
				if err != nil || !ordered {
					t.Fatal(ordered, err)
				}
				if c.dead == "0 0 0" && (got.Applied.IsZero() || got.Task != "t" || got.Queue != "default") {
					t.Errorf("applied: %+v", got)
				}
				if got.Running != c.want.Running || got.Finished != c.want.Finished {
					t.Errorf("applied: %+v, want %+v", got, c.want)
				}
				r.stop(stop)
			})
		})
	}
}

// TestCancelPrompt: the context of a run ends within about a second.
func TestCancelPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 5, nil), records.New(memrecords.New())
		var ended time.Time
		var cause error
		task := Define("t", func(ctx context.Context, _ int) error {
			<-ctx.Done()
			ended, cause = time.Now(), context.Cause(ctx)
			return cause
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{task}, Records: s})
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
		time.Sleep(10*time.Second + 1)
		asked := time.Now()
		must[Cancellation](t)(Cancel(t.Context(), s, "a"))
		time.Sleep(time.Minute)
		r.stop(stop)
		if took := ended.Sub(asked); took < 0 || took > 1100*time.Millisecond || !errors.Is(cause, ErrCancelled) {
			t.Errorf("it ended after %v with %v", took, cause)
		}
	})
}

// TestCancelNotSilently: without a record of it nothing is removed, and a
// duplicate that comes later is removed too. Once there can be none the order is
// no longer listed, and the id may be used again.
func TestCancelNotSilently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{}
		r := newRig(t, 50, func(d driver.Service) driver.Service { f.Service = d; return f })
		broken := &unwritable{Store: memrecords.New()}
		s := records.New(broken)
		var ran atomic.Int64
		task := Define("t", func(context.Context, int) error { ran.Add(1); return nil })
		must[Cancellation](t)(Cancel(t.Context(), s, "a"))
		broken.fails.Store(true)
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
		stop := r.work(WorkerOptions{Tasks: []Definition{task}, Records: s, Backoff: Backoff{Max: 10 * time.Second}})
		time.Sleep(time.Minute)
		if got := r.left("default"); got == "0 0 0" {
			t.Error("it was removed without a record")
		}
		broken.fails.Store(false)
		time.Sleep(time.Minute)
		r.expect("default", "0 0 0")
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a"))) // the duplicate
		time.Sleep(time.Minute)
		r.expect("default", "0 0 0")
		if n := ran.Load(); n > 0 {
			t.Errorf("it ran %d times", n)
		}
		time.Sleep(10 * time.Minute)
		if found, _, err := s.List(t.Context(), orderMark, "", 10); len(found) != 0 || err != nil {
			t.Error("still listed:", found, err)
		}
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
		time.Sleep(time.Minute)
		if n := ran.Load(); n != 1 {
			t.Errorf("another task of that id ran %d times", n)
		}
		r.stop(stop)
	})
}
