package tasksuite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

var errBoom = errors.New("boom \x00 text")

var failureTests = map[string]func(*rig){
	"ThirdTime": func(r *rig) {
		t := define(func(ctx context.Context) error {
			if run, _ := task.Info(ctx); run.Attempt < 3 {
				return errBoom
			}
			return nil
		})
		r.enqueue(t)
		r.work(worker(t))
		r.rest()
		r.ran("retried 1", "retried 2", "done 3")
	},
	"Fails": func(r *rig) {
		r.dies(define(func(context.Context) error { return errBoom }), "boom \ufffd text", "", 3)
	},
	"FewerAttempts": func(r *rig) {
		r.dies(define(func(context.Context) error { return errBoom }, task.Attempts(2)), "boom", "", 2)
	},
	"Permanent": func(r *rig) {
		r.dies(define(func(context.Context) error { return fmt.Errorf("x: %w", task.Permanent(errBoom)) }), "x: boom", "", 1)
	},
	"Panic": func(r *rig) {
		r.dies(define(func(context.Context) error { panic("ouch") }), "panic: ouch", "failures.go", 3)
	},
	"Exit": func(r *rig) {
		r.dies(define(func(context.Context) error { runtime.Goexit(); return nil }), "exited", "", 3)
	},
	"Timeout": func(r *rig) {
		r.dies(define(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, task.Timeout(50*time.Millisecond), task.Attempts(1)),
			"timeout after 50ms", "", 1)
	},
	"LongReason": func(r *rig) {
		r.dies(define(func(context.Context) error { return task.Permanent(errors.New(strings.Repeat("ä", 10_000))) }), "äää", "", 1)
	},
	"Unknown": func(r *rig) {
		r.refused(`{"specversion":"1.0","id":"1","source":"s","type":"other"}`, `unknown task "other"`, 3)
	},
	"OtherArguments": func(r *rig) {
		r.refused(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":"x"}`, "arguments of t", 3)
	},
	"NoTask":      func(r *rig) { r.refused("<xml/>", "not a task message: JSON", 1) },
	"DeadWorkers": deadWorkers,
	"Redriven":    redriven,
}

// dies enqueues the task and expects its dead letter.
func (r *rig) dies(t *task.Task[struct{}], reason, stack string, times int) {
	r.Helper()
	id := r.enqueue(t)
	r.work(worker(t))
	m := r.letter(reason)
	r.rest()
	if e, err := task.Decode(m.Body); err != nil || e.ID != id || e.Type != "t" {
		r.Errorf("the dead letter is another message: %v, %.200q", err, m.Body)
	}
	r.attributes(m, times)
	if got := m.Attributes[task.AttributeStack].String; (got == "") != (stack == "") || !strings.Contains(got, stack) {
		r.Errorf("the stack is %q, not …%s…", got, stack)
	}
	want := []string{}
	for n := range times - 1 {
		want = append(want, fmt.Sprint("retried ", n+1))
	}
	r.ran(append(want, fmt.Sprint("dead ", times))...)
}

// refused expects the dead letter of a body that cannot be run.
func (r *rig) refused(body, reason string, times int) {
	r.Helper()
	r.send(body)
	r.work(worker(define(func(context.Context) error { r.Error("it ran"); return nil })))
	m := r.letter(reason)
	r.rest()
	if m.Body != body {
		r.Errorf("the dead letter is %q", m.Body)
	}
	r.attributes(m, times)
}

func (r *rig) attributes(m queue.Message, times int) {
	r.Helper()
	a := m.Attributes
	if a[task.AttributeAttempts].String != strconv.Itoa(times) || a[task.AttributeQueue].String != r.q.Name() || len(a[task.AttributeError].String) > 4<<10 {
		r.Errorf("attributes %+v, want %d attempts", a, times)
	}
	if _, err := time.Parse(time.RFC3339Nano, a[task.AttributeFailedAt].String); err != nil {
		r.Error(err)
	}
}

// deadWorkers: a task that kills its workers is not run for ever.
func deadWorkers(r *rig) {
	t := define(func(context.Context) error { r.Error("it ran"); return nil }, task.Attempts(1))
	r.enqueue(t)
	r.eventually("a worker that dies has it", func() bool {
		m, err := r.q.Receive(r.Context(), queue.ReceiveOptions{Max: 1, Visibility: time.Second, Wait: time.Second})
		if err != nil {
			r.Fatal(err)
		}
		return len(m) == 1
	})
	r.work(worker(t))
	r.letter("delivered 2 times")
}

// redriven: a dead letter that is put back has all its attempts again.
func redriven(r *rig) {
	var whole atomic.Bool
	t := define(func(ctx context.Context) error {
		if run, _ := task.Info(ctx); whole.Load() && run.Attempt == 3 {
			return nil
		}
		return errBoom
	})
	r.enqueue(t)
	r.work(worker(t))
	m := r.letter("boom")
	whole.Store(true)
	if _, err := r.q.Send(r.Context(), queue.Outgoing{Body: m.Body, Attributes: m.Attributes, Delay: -1}); err != nil {
		r.Fatal(err)
	}
	r.ran("retried 1", "retried 2", "dead 3", "retried 1", "retried 2", "done 3")
}
