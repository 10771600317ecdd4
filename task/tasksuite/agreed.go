package tasksuite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

// agreedTests are what processes agree on by the store of records besides
// effects. Each client and worker here stands for a process of its own.
var agreedTests = map[string]func(*rig){
	"Unique":           uniqueTasks,
	"UniqueUntilDone":  uniqueUntilDone,
	"LimitConcurrency": limitConcurrency,
	"LimitRate":        limitRate,
}

// process is a client as another process has it.
func (r *rig) process() *task.Client {
	return task.NewClient(r.q, &task.ClientOptions{Records: r.h.Records})
}

// uniqueTasks: of several that enqueue a task at once one does, and all know its
// id; the rest of an EnqueueMany is stored.
func uniqueTasks(r *rig) {
	t := task.Define("t", func(context.Context, int) error { return nil })
	key := task.Unique(r.q.Name(), time.Hour)
	var all sync.WaitGroup
	ids, first := make([]string, 6), make([]bool, 6)
	for i := range ids {
		all.Go(func() {
			id, err := t.Enqueue(r.Context(), r.process(), i, key)
			if err != nil && !errors.Is(err, task.ErrDuplicate) {
				r.Error(err)
			}
			ids[i], first[i] = id, err == nil
		})
	}
	all.Wait()
	if slices.Sort(ids); ids[0] == "" || len(slices.Compact(ids)) != 1 || len(slices.DeleteFunc(first, func(f bool) bool { return !f })) != 1 {
		r.Fatalf("ids %q, enqueued by %d", ids, len(first))
	}
	if got := r.holds(r.q); got != "1 0 0" {
		r.Errorf("the queue holds %s", got)
	}
	base := int(time.Now().UnixNano()) // arguments that no other test has
	if _, err := t.Enqueue(r.Context(), r.process(), base+3, task.Unique("", time.Hour)); err != nil {
		r.Fatal(err)
	}
	args := []int{base, base + 1, base + 2, base + 3, base + 4}
	got, err := t.EnqueueMany(r.Context(), r.process(), args, task.Unique("", time.Hour))
	dup, ok := errors.AsType[*task.DuplicatesError](err)
	if !ok || slices.Contains(got, "") || dup.Of[3] == nil || dup.Of[2] != nil {
		r.Errorf("many: %q, %v", got, err)
	}
	r.work(task.WorkerOptions{Tasks: []task.Definition{t}, Records: r.h.Records})
	r.rest()
	if n := len(r.results.outcomes()); n != 6 {
		r.Errorf("%d runs, not 6", n)
	}
}

// uniqueUntilDone: the key is free when its task is done.
func uniqueUntilDone(r *rig) {
	release := make(chan struct{})
	t := define(func(context.Context) error { <-release; return nil })
	key := task.UniqueUntilDone(r.q.Name(), time.Hour)
	first, err := t.Enqueue(r.Context(), r.process(), struct{}{}, key)
	if err != nil {
		r.Fatal(err)
	}
	o := worker(t)
	o.Records = r.h.Records
	r.work(o)
	r.eventually("it runs", func() bool { return r.holds(r.q) == "0 0 1" })
	if id, err := t.Enqueue(r.Context(), r.process(), struct{}{}, key); id != first || !errors.Is(err, task.ErrDuplicate) {
		r.Errorf("while it runs: %q, %v", id, err)
	}
	close(release)
	r.ran("done 1")
	if id, err := t.Enqueue(r.Context(), r.process(), struct{}{}, key); id == first || err != nil {
		r.Errorf("when it is done: %q, %v", id, err)
	}
	r.ran("done 1", "done 1")
}

// limitConcurrency: two workers with more slots than the limit lets in.
func limitConcurrency(r *rig) {
	var mu sync.Mutex
	var now, most, ran int
	t := define(func(context.Context) error {
		mu.Lock()
		now, ran = now+1, ran+1
		most = max(most, now)
		mu.Unlock()
		time.Sleep(20 * time.Millisecond) // the work
		mu.Lock()
		now--
		mu.Unlock()
		return nil
	})
	for range 12 {
		r.enqueue(t)
	}
	o := worker(t)
	o.Records, o.Limits = r.h.Records, []task.Limit{{Concurrency: 2}}
	r.work(o)
	r.work(o)
	r.rest()
	mu.Lock()
	defer mu.Unlock()
	if most > 2 || ran < 12 {
		r.Errorf("%d ran, %d at once", ran, most)
	}
	r.letters(0)
}

// limitRate: two workers begin no more than the rate allows.
func limitRate(r *rig) {
	var mu sync.Mutex
	var ran int
	t := define(func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		ran++
		return nil
	})
	const tasks = 9
	for range tasks {
		r.enqueue(t)
	}
	begun := time.Now()
	o := worker(t)
	o.Records, o.Limits = r.h.Records, []task.Limit{{Rate: 2, Burst: 2}}
	r.work(o)
	r.work(o)
	r.rest()
	mu.Lock()
	defer mu.Unlock()
	if least := (tasks - 2) * time.Second / 2; ran < tasks || time.Since(begun) < least {
		r.Errorf("%d ran in %v; at the rate it takes %v", ran, time.Since(begun), least)
	}
	r.letters(0)
}
