package tasksuite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// results of the runs of a rig's workers.
type results struct {
	mu  sync.Mutex
	all []task.Result
}

func (r *results) add(x task.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, x)
}

// outcomes are "outcome attempt", in order.
func (r *results) outcomes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, x := range r.all {
		all = append(all, fmt.Sprintf("%s %d", x.Outcome, x.Run.Attempt))
	}
	return all
}

// define is a task without arguments.
func define(f func(context.Context) error, o ...task.Option) *task.Task[struct{}] {
	return task.Define("t", func(ctx context.Context, _ struct{}) error { return f(ctx) }, o...)
}

// worker works on one task.
func worker(d ...task.Definition) task.WorkerOptions {
	return task.WorkerOptions{Tasks: d, Concurrency: 4}
}

// enqueue enqueues the task that define made.
func (r *rig) enqueue(t *task.Task[struct{}], o ...task.EnqueueOption) string {
	r.Helper()
	id, err := t.Enqueue(r.Context(), r.c, struct{}{}, o...)
	if err != nil {
		r.Fatal(err)
	}
	return id
}

// send sends a body that no client makes.
func (r *rig) send(body string) {
	r.Helper()
	if _, err := r.q.Send(r.Context(), queue.Outgoing{Body: body, Delay: -1}); err != nil {
		r.Fatal(err)
	}
}

// eventually waits until ok.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			r.Fatalf("did not come: %s; runs: %v", what, r.results.outcomes())
		}
	}
}

// rest waits until the queue has nothing, visible, delayed or in flight, as
// often as it takes to believe it: a service may count the three one after the
// other, and miss a message that goes from one to another meanwhile.
func (r *rig) rest() {
	r.Helper()
	empty := 0
	r.eventually("the queue is empty", func() bool {
		if empty++; r.holds(r.q) != "0 0 0" {
			empty = 0
		}
		return empty == 5
	})
}

// holds is what a queue has: visible, delayed, in flight.
func (r *rig) holds(q *queue.Queue) string {
	r.Helper()
	d, err := q.Describe(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return fmt.Sprint(d.Visible, d.Delayed, d.InFlight)
}

// letters waits for n dead letters, and expects no more; they stay.
func (r *rig) letters(n int) []queue.Message {
	r.Helper()
	var all []queue.Message
	look := func() bool {
		m, err := r.dead.Receive(r.Context(), queue.ReceiveOptions{Max: 10, Visibility: time.Hour})
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, m...)
		return len(m) == 0 && len(all) >= n
	}
	r.eventually(fmt.Sprint(n, " dead letters"), look)
	if len(all) != n {
		r.Fatalf("%d dead letters, not %d; runs: %v", len(all), n, r.results.outcomes())
	}
	return all
}

// letter is the one dead letter there is to be; its reason has that text.
func (r *rig) letter(reason string) queue.Message {
	r.Helper()
	all := r.letters(1)
	if got := all[0].Attributes[task.AttributeError].String; !strings.Contains(got, reason) {
		r.Errorf("the dead letter says %q, not …%s…", got, reason)
	}
	return all[0]
}

// ran expects these outcomes, in order, and waits until there are as many.
func (r *rig) ran(want ...string) {
	r.Helper()
	r.eventually(fmt.Sprint("runs: ", want), func() bool { return len(r.results.outcomes()) >= len(want) })
	if got := r.results.outcomes(); !slices.Equal(got, want) {
		r.Errorf("runs: %v, not %v", got, want)
	}
}
