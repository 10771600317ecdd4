package tasksuite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

var basicTests = map[string]func(*rig){
	"Arguments":    arguments,
	"Many":         many,
	"Concurrency":  concurrency,
	"NoDeadLetter": noDeadLetter,
}

type mailArgs struct {
	To string
	N  int
}

// arguments arrive, and the run knows what it is.
func arguments(r *rig) {
	got := make(chan string, 2)
	t := task.Define("mail", func(ctx context.Context, a mailArgs) error {
		run, ok := task.Info(ctx)
		got <- fmt.Sprint(a, run.Task, run.ID, run.Attempt, run.Queue == r.q.Name(), run.Source, ok,
			time.Since(run.Enqueued) < patience)
		return nil
	})
	r.work(task.WorkerOptions{Tasks: []task.Definition{t}, Concurrency: 1})
	id, err := t.Enqueue(r.Context(), r.c, mailArgs{"ä@b \x00", 7})
	if err != nil {
		r.Fatal(err)
	}
	if want, is := fmt.Sprint(mailArgs{"ä@b \x00", 7}, "mail", id, 1, true, "dayfly", true, true), <-got; is != want {
		r.Errorf("%q, not %q", is, want)
	}
	if _, err := task.EnqueueNamed(r.Context(), r.c, "mail", json.RawMessage(`{"To":"c","Newer":[1]}`), task.ID("x y")); err != nil {
		r.Fatal(err)
	}
	if want, is := fmt.Sprint(mailArgs{"c", 0}, "mail", "x y", 1, true, "dayfly", true, true), <-got; is != want {
		r.Errorf("%q, not %q", is, want)
	}
	r.rest()
}

// many are each run once, with their own arguments.
func many(r *rig) {
	var mu sync.Mutex
	ran := map[string][]int{}
	t := task.Define("count", func(ctx context.Context, n int) error {
		run, _ := task.Info(ctx)
		mu.Lock()
		defer mu.Unlock()
		ran[run.ID] = append(ran[run.ID], n)
		return nil
	})
	args := make([]int, 53)
	for i := range args {
		args[i] = i
	}
	ids, err := t.EnqueueMany(r.Context(), r.c, args)
	if err != nil {
		r.Fatal(err)
	}
	stop := r.work(worker(t))
	r.rest()
	if err := stop(); err != nil {
		r.Error(err)
	}
	for i, id := range ids {
		if len(ran[id]) != 1 || ran[id][0] != i {
			r.Errorf("%s ran with %v, not once with %d", id, ran[id], i)
		}
	}
}

// concurrency is as many at once as were asked for, and no more.
func concurrency(r *rig) {
	begun, goOn := make(chan int, 9), make(chan struct{})
	t := task.Define("t", func(_ context.Context, n int) error {
		begun <- n
		<-goOn
		return nil
	})
	if _, err := t.EnqueueMany(r.Context(), r.c, make([]int, 9)); err != nil {
		r.Fatal(err)
	}
	stop := r.work(worker(t))
	r.eventually("four run", func() bool { return len(begun) == 4 })
	if got := r.holds(r.q); got != "5 0 4" {
		r.Errorf("while four run the queue holds %s", got)
	}
	close(goOn)
	r.rest()
	if err := stop(); err != nil || len(begun) != 9 {
		r.Errorf("%v; %d ran", err, len(begun))
	}
}

// noDeadLetter: a worker does not start where what fails would have no place.
func noDeadLetter(r *rig) {
	w, err := task.NewWorker(r.dead, worker(define(func(context.Context) error { return nil })))
	if err != nil {
		r.Fatal(err)
	}
	if err := w.Run(r.Context()); !errors.Is(err, task.ErrNoDeadLetter) {
		r.Error(err)
	}
}
