package tasksuite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

var timeTests = map[string]func(*rig){
	"Delay":      delay,
	"RetryAfter": retryAfter,
	"Postpone":   postpone,
	"Heartbeat":  heartbeat,
}

// rounding is how much earlier something may come where a service counts in
// whole seconds.
const rounding = 600 * time.Millisecond

// clock takes down when runs began, in time since it was made.
type clock struct {
	mu    sync.Mutex
	start time.Time
	at    []time.Duration
}

func (c *clock) now() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Since(c.start))
}

// expect that the runs began no earlier than said; later they may, on a machine
// under load.
func (c *clock) expect(r *rig, want ...time.Duration) {
	r.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.at) != len(want) {
		r.Fatalf("ran after %v, not after %v", c.at, want)
	}
	for i := range want {
		if c.at[i] < want[i]-rounding {
			r.Errorf("run %d began after %v, not after %v", i+1, c.at[i], want[i])
		}
	}
}

func delay(r *rig) {
	c := &clock{start: time.Now()}
	t := define(func(context.Context) error { c.now(); return nil })
	r.work(worker(t))
	r.enqueue(t, task.Delay(2*time.Second))
	r.rest()
	c.expect(r, 2*time.Second)
	r.ran("done 1")
}

func retryAfter(r *rig) {
	c := &clock{start: time.Now()}
	t := define(func(ctx context.Context) error {
		c.now()
		if run, _ := task.Info(ctx); run.Attempt == 1 {
			return task.RetryAfter(errors.New("busy"), 2*time.Second)
		}
		return nil
	})
	r.work(worker(t))
	r.enqueue(t)
	r.rest()
	c.expect(r, 0, 2*time.Second)
	r.ran("retried 1", "done 2")
}

// postpone: more often than there are attempts, and the failures between count.
func postpone(r *rig) {
	var runs atomic.Int64
	t := define(func(context.Context) error {
		switch runs.Add(1) {
		case 1, 3, 4, 6:
			return task.Postpone(errors.New("not now"), time.Millisecond)
		case 2, 5:
			return errBoom
		}
		return nil
	})
	r.work(worker(t))
	r.enqueue(t)
	r.rest()
	r.ran("postponed 1", "retried 1", "postponed 2", "postponed 2", "retried 2", "postponed 3", "done 3")
}

// heartbeat: a task of more than a visibility timeout runs once.
func heartbeat(r *rig) {
	t := define(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(r.visibility + r.visibility/2):
			return nil
		}
	})
	r.work(worker(t))
	r.work(worker(t))
	r.enqueue(t)
	r.rest()
	r.ran("done 1")
}
