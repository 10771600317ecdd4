package task

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/records"
	recordsdriver "github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// TestPause: what runs finishes, nothing is begun, nothing uses up an attempt,
// and all of it goes on after the queue is resumed.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 2, nil), records.New(memrecords.New())
		var mu sync.Mutex
		var finished []string
		slow := Define("slow", func(ctx context.Context, n int) error {
			time.Sleep(time.Duration(n) * time.Second)
			i, _ := Info(ctx)
			mu.Lock()
			defer mu.Unlock()
			finished = append(finished, i.ID)
			return ctx.Err()
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{slow}, Concurrency: 10, Records: s})
		must[string](t)(slow.Enqueue(t.Context(), r.c, 10, ID("running")))
		time.Sleep(3 * time.Second)
		p, first, err := Pause(t.Context(), s, "default", By("ann"), Because("the provider is down"))
		if err != nil || !first || p.By != "ann" {
			t.Fatal(p, first, err)
		}
		time.Sleep(2 * time.Second)
		// The requests that are under way still bring these, once.
		for _, id := range []string{"a", "b", "c"} {
			must[string](t)(slow.Enqueue(t.Context(), r.c, 0, ID(id)))
		}
		time.Sleep(10 * time.Minute)
		mu.Lock()
		d := cmp.Diff([]string{"running"}, finished)
		mu.Unlock()
		if d != "" {
			t.Errorf("while paused: %s", d)
		}
		r.expect("default", "3 0 0")
		if _, first, err := Pause(t.Context(), s, "default", By("bob")); first || err != nil {
			t.Error("paused twice:", first, err)
		}
		all, err := Pauses(t.Context(), s)
		if err != nil || len(all) != 1 || all[0].By != "ann" || all[0].Reason != "the provider is down" || all[0].Queue != "default" {
			t.Error(all, err)
		}

		if was, err := Resume(t.Context(), s, "default"); !was || err != nil {
			t.Error("resume:", was, err)
		}
		time.Sleep(2 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(finished)
		if d := cmp.Diff([]string{"a", "b", "c", "running"}, finished); d != "" {
			t.Errorf("resumed: %s", d)
		}
		if was, err := Resume(t.Context(), s, "default"); was || err != nil {
			t.Error("resumed twice:", was, err)
		}
		r.stop(stop)
		for _, x := range r.results() {
			if x != "done a 1" && x != "done b 1" && x != "done c 1" && x != "done running 1" &&
				x != "returned a 1" && x != "returned b 1" && x != "returned c 1" {
				t.Errorf("result %s: an attempt was used up", x)
			}
		}
	})
}

// TestPauseKeepsAttempts: a task on its last attempt, given back by as many
// pauses as one likes, has that attempt still.
func TestPauseKeepsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 2, nil), records.New(memrecords.New())
		fails := Define("fails", func(context.Context, int) error { return RetryAfter(errInjected, 0) })
		once := Define("once", func(ctx context.Context, _ int) error {
			if i, _ := Info(ctx); i.Attempt == 1 {
				return RetryAfter(errInjected, 10*time.Second)
			}
			return nil
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{fails, once}, Concurrency: 4, Records: s})
		must[string](t)(once.Enqueue(t.Context(), r.c, 1, ID("a")))
		for range 5 { // each time a request that is under way brings it
			time.Sleep(3 * time.Second)
			must[Paused](t)(two(Pause(t.Context(), s, "default")))
			time.Sleep(25 * time.Second)
			must[bool](t)(Resume(t.Context(), s, "default"))
		}
		time.Sleep(time.Minute)
		r.stop(stop)
		r.expect("default", "0 0 0")
		r.expect("default-dead", "0 0 0")
		all := r.results()
		if !slices.Contains(all, "done a 2") || !slices.Contains(all, "returned a 2") {
			t.Error(all)
		}
	})
}

func two[A, B any](a A, _ B, err error) (A, error) { return a, err }

// silent is a store whose listings a test makes fail, and counts.
type silent struct {
	recordsdriver.Store
	fails atomic.Bool
	lists atomic.Int64
}

func (s *silent) List(ctx context.Context, mark, from string, n int) ([]records.Record, string, error) {
	s.lists.Add(1)
	if s.fails.Load() {
		return nil, "", errInjected
	}
	return s.Store.List(ctx, mark, from, n)
}

// TestPauseUnknown: a worker begins nothing before it knows whether the queue is
// paused, and goes by what it knew when the records do not answer.
func TestPauseUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var received atomic.Int64
		f := &faulty{receive: func() error { received.Add(1); return nil }}
		r := newRig(t, 5, func(d driver.Service) driver.Service { f.Service = d; return f })
		quiet := &silent{Store: memrecords.New()}
		s := records.New(quiet)
		quiet.fails.Store(true)
		task := Define("t", func(context.Context, int) error { return nil })
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
		stop := r.work(WorkerOptions{Tasks: []Definition{task}, Records: s})
		time.Sleep(time.Minute)
		if n := received.Load(); n > 0 {
			t.Errorf("%d requests for messages before it was known whether the queue is paused", n)
		}
		quiet.fails.Store(false)
		time.Sleep(2 * time.Second)
		if d := cmp.Diff([]string{"done a 1"}, r.results()); d != "" {
			t.Error(d)
		}
		quiet.fails.Store(true)
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("b")))
		time.Sleep(time.Minute)
		if d := cmp.Diff([]string{"done a 1", "done b 1"}, r.results()); d != "" {
			t.Error(d)
		}
		before := quiet.lists.Load()
		time.Sleep(100 * time.Second)
		if n := quiet.lists.Load() - before; n < 80 || n > 120 {
			t.Errorf("%d listings in 100 s, not about one a second", n)
		}
		r.stop(stop)
	})
}

// TestPauseOthers: a pause is of one queue.
func TestPauseOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 5, nil), records.New(memrecords.New())
		must[Paused](t)(two(Pause(t.Context(), s, "default-2")))
		task := Define("t", func(context.Context, int) error { return nil })
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
		stop := r.work(WorkerOptions{Tasks: []Definition{task}, Records: s})
		time.Sleep(2 * time.Second)
		r.stop(stop)
		if d := cmp.Diff([]string{"done a 1"}, r.results()); d != "" {
			t.Error(d)
		}
	})
}

func TestOrdersNeedRecords(t *testing.T) {
	if _, _, err := Pause(t.Context(), nil, "default"); !errors.Is(err, ErrNoRecords) {
		t.Error(err)
	}
	if _, err := Resume(t.Context(), nil, "default"); !errors.Is(err, ErrNoRecords) {
		t.Error(err)
	}
	if _, err := Cancel(t.Context(), nil, "a"); !errors.Is(err, ErrNoRecords) {
		t.Error(err)
	}
	s := records.New(memrecords.New())
	if _, _, err := Pause(t.Context(), s, ""); err == nil {
		t.Error("a queue without a name was paused")
	}
	if _, err := Cancel(t.Context(), s, ""); err == nil {
		t.Error("a task without an id was cancelled")
	}
}

// unwritable is a store whose writes a test makes fail.
type unwritable struct {
	recordsdriver.Store
	fails atomic.Bool
}

func (s *unwritable) Put(ctx context.Context, r records.Record) (string, error) {
	if s.fails.Load() {
		return "", errInjected
	}
	return s.Store.Put(ctx, r)
}
