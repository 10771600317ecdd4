package tasksuite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

var leaseTests = map[string]func(*rig){
	"LeaseLost":   leaseLost,
	"Drain":       drain,
	"DrainIsOver": drainIsOver,
	"Replaced":    replaced,
	"Abandoned":   abandoned,
}

// leaseLost: a message that the queue no longer has ends its run.
func leaseLost(r *rig) {
	begun, cause := make(chan struct{}), make(chan error, 1)
	t := define(func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return nil
	})
	r.enqueue(t)
	r.work(worker(t))
	<-begun
	if err := r.h.Queues.Purge(r.Context(), r.q.Name()); err != nil {
		r.Fatal(err)
	}
	select {
	case err := <-cause:
		if !errors.Is(err, task.ErrLeaseLost) {
			r.Error(err)
		}
	case <-time.After(patience):
		r.Fatal("the run was not ended")
	}
	r.eventually("the result", func() bool { return len(r.results.outcomes()) == 1 })
	r.ran("lost 1")
}

// drain: what runs at the stop is finished, what does not is in the queue at once.
func drain(r *rig) {
	begun, goOn := make(chan struct{}, 9), make(chan struct{})
	t := define(func(context.Context) error {
		begun <- struct{}{}
		<-goOn
		return nil
	})
	for range 5 {
		r.enqueue(t)
	}
	stop := r.work(task.WorkerOptions{Tasks: []task.Definition{t}, Concurrency: 2})
	r.eventually("two run", func() bool { return len(begun) == 2 })
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	r.eventually("what does not run is there", func() bool { return r.holds(r.q) == "3 0 2" })
	close(goOn)
	if err := <-stopped; err != nil {
		r.Error(err)
	}
	var done int
	for _, x := range r.results.outcomes() {
		switch x {
		case "done 1":
			done++
		case "returned 1": // received, and not begun
		default:
			r.Errorf("a run ended as %s", x)
		}
	}
	if got := r.holds(r.q); got != "3 0 0" || done != 2 {
		r.Errorf("%d are done, the queue holds %s", done, got)
	}
}

// drainIsOver: what does not finish in time is given back, and that is no failure.
// A service that then gives it to a request which the stop broke off has used up
// its one attempt: it is a dead letter that says so, and not that the task failed.
func drainIsOver(r *rig) {
	begun := make(chan struct{})
	var second atomic.Bool
	t := define(func(ctx context.Context) error {
		if second.Load() {
			return nil
		}
		close(begun)
		<-ctx.Done()
		return context.Cause(ctx)
	}, task.Attempts(1))
	r.enqueue(t)
	stop := r.work(task.WorkerOptions{Tasks: []task.Definition{t}, DrainTimeout: 50 * time.Millisecond})
	<-begun
	if err := stop(); err != nil {
		r.Error(err)
	}
	r.eventually("it is given back", func() bool { return r.holds(r.q) == "1 0 0" })
	second.Store(true)
	r.work(worker(t))
	r.rest()
	got := r.results.outcomes()
	switch {
	case len(got) != 2 || got[0] != "returned 1":
		r.Errorf("runs: %v", got)
	case r.h.GivesToTheGone && got[1] == "dead 2":
		r.letter("delivered 2 times, more than its 1 attempts")
		return
	case got[1] != "done 1" && got[1] != "done 2":
		r.Errorf("runs: %v", got)
	}
	r.letters(0)
}

// replaced: a worker is stopped in the middle, and another goes on. What the queue
// hands to a request that is broken off at the stop comes later, and counts.
func replaced(r *rig) {
	var mu sync.Mutex
	ran := map[int]int{}
	t := task.Define("t", func(_ context.Context, n int) error {
		mu.Lock()
		defer mu.Unlock()
		ran[n]++
		return nil
	})
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(ran)
	}
	args := make([]int, 60)
	for i := range args {
		args[i] = i
	}
	stop := r.work(task.WorkerOptions{Tasks: []task.Definition{t}, Concurrency: 2})
	if _, err := t.EnqueueMany(r.Context(), r.c, args); err != nil {
		r.Fatal(err)
	}
	r.eventually("some ran", func() bool { return count() > 10 })
	r.work(worker(t))
	if err := stop(); err != nil {
		r.Error(err)
	}
	r.rest()
	for n := range args {
		if ran[n] != 1 {
			r.Errorf("task %d ran %d times", n, ran[n])
		}
	}
	r.letters(0)
}

// abandoned: a run that ignores the end of its context keeps neither the slot
// nor the message.
func abandoned(r *rig) {
	goOn := make(chan struct{})
	var again atomic.Bool
	t := define(func(context.Context) error {
		if !again.Swap(true) {
			<-goOn
		}
		return nil
	}, task.Timeout(50*time.Millisecond))
	r.Cleanup(func() { close(goOn) })
	r.enqueue(t)
	r.work(task.WorkerOptions{Tasks: []task.Definition{t}, Concurrency: 1, Grace: 50 * time.Millisecond})
	r.rest()
	r.ran("retried 1", "done 2")
}
