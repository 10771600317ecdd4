package tasksuite

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

var priorityTests = map[string]func(*rig){
	"Strict":  strictPriority,
	"Weights": weightedPriority,
}

// beside makes another queue that shares the rig's dead-letter queue, and fills
// it with tasks whose argument is its name.
func (r *rig) beside(suffix string, t *task.Task[string], n int) *queue.Queue {
	r.Helper()
	name := r.q.Name() + suffix
	a := queue.Attributes{Visibility: r.visibility, DeadLetter: &queue.DeadLetter{Queue: r.dead.Name(), MaxReceives: attempts}}
	if err := r.h.Queues.CreateQueue(r.Context(), name, a, nil); err != nil {
		r.Fatal(err)
	}
	q := r.h.Queues.Queue(name)
	if _, err := t.EnqueueMany(r.Context(), task.NewClient(q, nil), slices.Repeat([]string{suffix}, n)); err != nil {
		r.Fatal(err)
	}
	return q
}

// begun are the queues of the tasks that began, in order.
type begun struct {
	mu  sync.Mutex
	all []string
}

func (b *begun) add(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, s)
}

func (b *begun) order() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// strictPriority: the first queue goes before the second and that before the third,
// though their tasks were sent in the other order. A queue that does not answer for
// 100 ms counts as empty, as on a machine under load, so that some of the next begin
// in between: of all pairs of tasks of two queues at most a fifth are in the wrong
// order, where half would be without priority; over a slow service two thirds, where in
// the order they were sent all would be. That none is else is task's own test.
func strictPriority(r *rig) {
	const each = 7
	names := []string{"-high", "-mid", "-low"}
	var b begun
	t := task.Define("t", func(_ context.Context, q string) error { b.add(q); return nil })
	sources := make([]task.Source, len(names))
	for i, name := range slices.Backward(names) {
		sources[i].Queue = r.beside(name, t, each)
	}
	r.workOf(sources, task.WorkerOptions{Tasks: []task.Definition{t}, Concurrency: 1})
	r.eventually("all ran", func() bool { return len(b.order()) == len(names)*each })
	got := b.order()
	wrong := 0
	for i, x := range got {
		for _, y := range got[i+1:] {
			if slices.Index(names, x) > slices.Index(names, y) {
				wrong++
			}
		}
	}
	pairs := 3 * each * each
	most := pairs / 5
	if r.h.Slow {
		most = pairs * 2 / 3 // in the order they were sent all would be wrong
	}
	if wrong > most {
		r.Errorf("of %d pairs %d began in the wrong order, at most %d may: %v", pairs, wrong, most, got)
	}
}

// weightedPriority: with tasks that each take the same, waiting for one another, the
// queues have about their shares, and none waits until the other is empty; what a
// queue without tasks does not use the others have.
func weightedPriority(r *rig) {
	const each = 16
	var b begun
	took := r.longerThanARequest()
	t := task.Define("t", func(ctx context.Context, q string) error {
		b.add(q)
		select {
		case <-time.After(took):
		case <-ctx.Done():
		}
		return nil
	})
	low := r.beside("-low", t, each)
	high := r.beside("-high", t, each)
	empty := r.beside("-empty", t, 0)
	r.workOf([]task.Source{{Queue: empty, Weight: 100}, {Queue: high, Weight: 3}, {Queue: low, Weight: 1}},
		task.WorkerOptions{Tasks: []task.Definition{t}, Concurrency: 1})
	r.eventually("all ran", func() bool { return len(b.order()) == 2*each })
	got := b.order()
	lows := 0 // before the last of the other queue: a third of it, give or take what a slow machine does
	for _, q := range got[:lastOf(got, "-high")] {
		if q == "-low" {
			lows++
		}
	}
	if lows < each/8 || lows > each*3/4 && !r.h.Slow {
		r.Errorf("%d of the low queue began before the last of the other, of which there were %d: %v", lows, each, got)
	}
}

// longerThanARequest is how long a task of a share takes: more than what is around
// it, which are a few requests to the queue. Where those take longer than tasks, a
// queue counts as empty while it is asked, and its share goes to the others.
func (r *rig) longerThanARequest() time.Duration {
	begun := time.Now()
	for range 5 {
		if _, err := r.q.Describe(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
	return min(max(20*time.Millisecond, time.Since(begun)), 400*time.Millisecond)
}

func lastOf(all []string, s string) int {
	for i, x := range slices.Backward(all) {
		if x == s {
			return i
		}
	}
	return 0
}
