package tasksuite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

var onceTests = map[string]func(*rig){
	"Duplicates":  duplicates,
	"NotSent":     notSent,
	"NobodyKnows": nobodyKnows,
	"Resolved":    resolved,
	"AtLeastOnce": atLeastOnce,
	"OtherUse":    otherUse,
	"Result":      onceResult,
}

// effect counts and says how often it was brought about.
type effect struct {
	mu sync.Mutex
	n  int
}

func (e *effect) happens() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	return e.n
}

func (e *effect) expect(r *rig, n int) {
	r.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n != n {
		r.Errorf("the effect was brought about %d times, not %d; runs: %v", e.n, n, r.results.outcomes())
	}
}

// key is one that no other test has, of characters a store may have trouble with.
func (r *rig) key() string { return "suite/" + r.q.Name() + "/ä %/?#@example.com" }

// duplicates: many messages about one effect, worked on at once by two workers.
func duplicates(r *rig) {
	var e effect
	t := define(func(ctx context.Context) error {
		err := task.Once(ctx, r.key(), func(context.Context) error {
			e.happens()
			return nil
		})
		if err != nil { // another has it; that must be through soon
			return task.Postpone(err, time.Millisecond)
		}
		return nil
	})
	for range 8 {
		r.enqueue(t)
	}
	r.work(worker(t))
	r.work(worker(t))
	r.rest()
	e.expect(r, 1)
	r.letters(0)
}

// notSent: what certainly did not happen is begun again.
func notSent(r *rig) {
	var e effect
	t := define(func(ctx context.Context) error {
		return task.Once(ctx, r.key(), func(context.Context) error {
			if e.happens() < 3 {
				return task.NotSent(errBoom)
			}
			return nil
		})
	})
	r.enqueue(t)
	r.work(worker(t))
	r.ran("retried 1", "retried 2", "done 3")
	r.rest()
	e.expect(r, 3)
}

// nobodyKnows: an effect that failed somehow, or panicked, is parked.
func nobodyKnows(r *rig) {
	var e effect
	t := define(func(ctx context.Context) error {
		a := task.Once(ctx, r.key()+"1", func(context.Context) error { e.happens(); return errBoom })
		b := task.Once(ctx, r.key()+"2", func(context.Context) error { e.happens(); panic("ouch") })
		return task.Collect(a, b)
	})
	r.enqueue(t)
	r.enqueue(t)
	r.work(task.WorkerOptions{Tasks: []task.Definition{t}, Concurrency: 1})
	r.letters(2)
	e.expect(r, 2)
	r.ran("dead 1", "dead 1")
	found := 0
	for x, err := range r.book.Unknown(r.Context()) {
		if err != nil {
			r.Fatal(err)
		}
		if x.Key == r.key()+"1" || x.Key == r.key()+"2" {
			found++
			if x.Task != "t" || x.Queue != r.q.Name() || x.Error == "" {
				r.Errorf("unknown: %+v", x)
			}
		}
	}
	if found != 2 {
		r.Errorf("%d of 2 are listed as unknown", found)
	}
}

// resolved: what a person decides holds.
func resolved(r *rig) {
	var e effect
	once := func(ctx context.Context, key string) error {
		return task.Once(ctx, r.key()+key, func(context.Context) error {
			if e.happens() <= 2 {
				return errBoom
			}
			return nil
		})
	}
	t := define(func(ctx context.Context) error { return task.Collect(once(ctx, "sent"), once(ctx, "resend")) })
	r.enqueue(t)
	r.work(worker(t))
	m := r.letter("resend")
	r.ran("dead 1") // the letter is there before its worker has told of it
	if _, err := r.book.ResolveSent(r.Context(), r.key()+"sent", "ann"); err != nil {
		r.Error(err)
	}
	if _, err := r.book.ResolveNotSent(r.Context(), r.key()+"resend", "ann"); err != nil {
		r.Error(err)
	}
	if _, err := r.q.Send(r.Context(), queue.Outgoing{Body: m.Body, Attributes: m.Attributes, Delay: -1}); err != nil {
		r.Fatal(err)
	}
	r.rest()
	e.expect(r, 3)
	r.ran("dead 1", "done 1")
}

// atLeastOnce: what nobody knows comes again, after the quarantine.
func atLeastOnce(r *rig) {
	var e effect
	c := &clock{start: time.Now()}
	t := define(func(ctx context.Context) error {
		return task.Once(ctx, r.key(), func(context.Context) error {
			c.now()
			if e.happens() == 1 {
				return errBoom
			}
			return nil
		}, task.AtLeastOnce())
	})
	r.enqueue(t)
	r.work(worker(t))
	r.rest()
	c.expect(r, 0, time.Second)
	e.expect(r, 2)
	r.ran("retried 1", "done 2")
}

// otherUse: a key that is used for two things is an error, and no effect.
func otherUse(r *rig) {
	var e effect
	t := task.Define("t", func(ctx context.Context, day int) error {
		return task.Once(ctx, r.key(), func(context.Context) error { e.happens(); return nil })
	})
	if _, err := t.EnqueueMany(r.Context(), r.c, []int{1, 2}); err != nil {
		r.Fatal(err)
	}
	r.work(task.WorkerOptions{Tasks: []task.Definition{t}, Concurrency: 1})
	r.letter("payload")
	r.rest()
	e.expect(r, 1)
}

// onceResult is kept, and later runs have it.
func onceResult(r *rig) {
	var e effect
	got := make(chan string, 4)
	t := define(func(ctx context.Context) error {
		id, err := task.OnceResult(ctx, r.key(), func(context.Context) (string, error) { return fmt.Sprint("id-", e.happens()), nil })
		got <- id
		return errors.Join(err, errBoom)
	})
	r.enqueue(t)
	r.work(worker(t))
	r.letter("boom")
	for range attempts {
		if id := <-got; id != "id-1" {
			r.Errorf("a run had the result %q", id)
		}
	}
	e.expect(r, 1)
}
