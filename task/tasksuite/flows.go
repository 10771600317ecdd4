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

// flowTests are tasks that hang together, and what people say to them.
var flowTests = map[string]func(*rig){
	"Chain":            chain,
	"Batch":            batch,
	"BatchDeadWorkers": batchDeadWorkers,
	"Orders":           orders,
}

// agreeing works on tasks with the store of records.
func (r *rig) agreeing(d ...task.Definition) task.WorkerOptions {
	o := worker(d...)
	o.Records = r.h.Records
	return o
}

// id is one that no other test has in the store.
func (r *rig) id() string { return "suite/" + r.q.Name() }

// wait returns what the task of an id returned.
func wait[R any](r *rig, t task.Returning[int, R], id string) R {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	got, err := t.Wait(ctx, r.h.Records, id)
	if err != nil {
		r.Fatalf("%v; runs: %v", err, r.results.outcomes())
	}
	return got
}

// chain: steps one after the other, each with the result of the one before.
func chain(r *rig) {
	next := task.DefineResult("next", func(_ context.Context, n int) (int, error) { return n + 1, nil })
	flaky := task.DefineResult("flaky", func(ctx context.Context, n int) (int, error) {
		if run, _ := task.Info(ctx); run.Attempt == 1 {
			return 0, errBoom
		}
		return 10 * n, nil
	})
	r.work(r.agreeing(next, flaky))
	id, err := task.NewChain(next.With(1), flaky.WithResult(), next.With(7), next.WithResult()).Enqueue(r.Context(), r.c, task.ID(r.id()))
	if err != nil {
		r.Fatal(err)
	}
	got := []int{wait(r, next, id+"/4"), wait(r, next, id), wait(r, flaky, id+"/2"), wait(r, next, id+"/3")}
	if want := []int{9, 2, 20, 8}; !slices.Equal(got, want) {
		r.Errorf("the last and the first three returned %v, not %v", got, want)
	}
	r.rest() // a result is told after the next step is enqueued, so in no order
	if ran := slices.Sorted(slices.Values(r.results.outcomes())); !slices.Equal(ran, []string{"done 1", "done 1", "done 1", "done 2", "retried 1"}) {
		r.Errorf("runs: %v", ran)
	}
}

// counted are the runs of a batch's tasks that ended well.
type counted struct {
	mu      sync.Mutex
	members map[int]int
	then    []string
	early   bool
}

// tasks: members fail for good where their number is in failing.
func (c *counted) tasks(n int, failing ...int) (member *task.Task[int], then task.Returning[int, string]) {
	c.members = map[int]int{}
	member = task.Define("member", func(_ context.Context, i int) error {
		if slices.Contains(failing, i) {
			return task.Permanent(fmt.Errorf("member %d is broken", i))
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.members[i]++
		return nil
	})
	then = task.DefineResult("then", func(ctx context.Context, _ int) (string, error) {
		failed, err := task.BatchFailures(ctx)
		if err != nil {
			return "", err
		}
		run, _ := task.Info(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.then = append(c.then, run.ID)
		c.early = c.early || len(c.members)+len(failed) < n
		return fmt.Sprint(failed), nil
	})
	return member, then
}

func members(member *task.Task[int], n int) []task.Step {
	steps := make([]task.Step, n)
	for i := range steps {
		steps[i] = member.With(i)
	}
	return steps
}

// complete expects the batch to be complete, with these failures.
func (c *counted) complete(r *rig, id string, n int, failed ...task.Failure) {
	r.Helper()
	st, err := task.BatchOf(r.Context(), r.h.Records, id)
	if err != nil || st.Settled != n || st.Enqueued != n || st.Complete.IsZero() || !slices.Equal(st.Failed, failed) {
		r.Errorf("%+v, %v", st, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.early || len(c.members) != n-len(failed) {
		r.Errorf("%d members are done; the completion was early: %v", len(c.members), c.early)
	}
	if len(slices.Compact(slices.Clone(c.then))) != 1 || c.then[0] != id+"/then" {
		r.Errorf("completions: %q", c.then)
	}
}

// batch: the completion runs after all members, of which two workers have some.
func batch(r *rig) {
	const n = 12
	var c counted
	member, then := c.tasks(n, 5)
	r.work(r.agreeing(member, then))
	r.work(r.agreeing(member, then))
	b := task.NewBatch(then.With(0), members(member, n)...)
	id, err := b.Enqueue(r.Context(), r.c, r.h.Records, task.ID(r.id()))
	if err != nil {
		r.Fatal(err)
	}
	broken := task.Failure{Index: 5, ID: id + "/5", Error: "member 5 is broken"}
	if got := wait(r, then, id+"/then"); got != fmt.Sprint([]task.Failure{broken}) {
		r.Errorf("the completion was told of %s", got)
	}
	r.rest()
	c.complete(r, id, n, broken)
	if _, err := task.NewBatch(then.With(0), members(member, n+1)...).Enqueue(r.Context(), r.c, r.h.Records, task.ID(id)); err == nil {
		r.Error("another batch of that id was taken")
	}
	if _, err := b.Enqueue(r.Context(), r.c, r.h.Records, task.ID(id)); err != nil {
		r.Errorf("enqueued again: %v", err)
	}
	r.rest()
	c.complete(r, id, n, broken)
	r.letter("member 5 is broken")
}

// batchDeadWorkers: a member whose workers die each time is dead-lettered by the
// queue itself; the batch goes on without it, and the letter stays.
func batchDeadWorkers(r *rig) {
	var c counted
	member, then := c.tasks(1)
	id, err := task.NewBatch(then.With(0), member.With(0)).Enqueue(r.Context(), r.c, r.h.Records, task.ID(r.id()))
	if err != nil {
		r.Fatal(err)
	}
	for range attempts {
		r.eventually("a worker that dies has it", func() bool {
			m, err := r.q.Receive(r.Context(), queue.ReceiveOptions{Max: 1, Visibility: time.Second, Wait: 2 * time.Second})
			if err != nil {
				r.Fatal(err)
			}
			return len(m) == 1
		})
	}
	r.work(r.agreeing(member, then))
	if got := wait(r, then, id+"/then"); !strings.Contains(got, "the queue dead-lettered it") {
		r.Errorf("the completion was told of %s", got)
	}
	r.rest()
	if st, err := task.BatchOf(r.Context(), r.h.Records, id); err != nil || st.Complete.IsZero() || len(st.Failed) != 1 {
		r.Errorf("%+v, %v", st, err)
	}
	r.letters(1)
}

// orders: while the queue is paused nothing is begun, and no attempt is used up;
// what was cancelled meanwhile is removed, and what runs is ended.
func orders(r *rig) {
	begun := make(chan struct{})
	t := define(func(ctx context.Context) error {
		close(begun)
		<-ctx.Done()
		return context.Cause(ctx)
	}, task.Keep(time.Hour))
	if _, first, err := task.Pause(r.Context(), r.h.Records, r.q.Name()); !first || err != nil {
		r.Fatal(first, err)
	}
	r.work(r.agreeing(t))
	waits, runs := r.enqueue(t), r.enqueue(t)
	if _, err := task.Cancel(r.Context(), r.h.Records, waits, task.By("suite")); err != nil {
		r.Fatal(err)
	}
	select {
	case <-begun:
		r.Error("it was begun while the queue was paused")
	case <-time.After(1500 * time.Millisecond): // a worker that sees no pause begins within this
	}
	if got := r.holds(r.q); got != "2 0 0" {
		r.Errorf("while paused the queue holds %s", got)
	}
	if was, err := task.Resume(r.Context(), r.h.Records, r.q.Name()); !was || err != nil {
		r.Fatal(was, err)
	}
	select {
	case <-begun:
	case <-time.After(patience):
		r.Fatalf("it is not begun after the pause; runs: %v", r.results.outcomes())
	}
	if _, err := task.Cancel(r.Context(), r.h.Records, runs); err != nil {
		r.Fatal(err)
	}
	r.rest()
	r.ran("cancelled 1", "cancelled 1")
	for id, running := range map[string]bool{waits: false, runs: true} {
		c, ordered, err := task.CancellationOf(r.Context(), r.h.Records, id)
		if err != nil || !ordered || c.Applied.IsZero() || c.Running != running || c.Finished {
			r.Errorf("%+v, %v, %v", c, ordered, err)
		}
		if st, err := task.StatusOf(r.Context(), r.h.Records, id); err != nil || st.State != task.WasCancelled {
			r.Errorf("%+v, %v", st, err)
		}
	}
	r.letters(0)
}
