package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// beginAll starts the runs of what one request brought, for which it has so
// many slots.
func (s *shift) beginAll(got []queue.Message, slots int, receiving, handling context.Context) {
	if s.fifo {
		s.beginLines(got, slots, receiving, handling)
		return
	}
	for i, m := range got {
		s.begin(m, i < slots, receiving, handling)
	}
}

// begin starts the run of a message, in the slot that there is for it or in the
// next that is free. finish frees it.
func (s *shift) begin(m queue.Message, slot bool, receiving, handling context.Context) {
	d := s.accept(m)
	d.slot.away = !slot
	s.active.Add(1)
	s.hands.do(func() { // active counts it until it is concluded
		if !slot && !s.acquire(d, receiving) {
			s.setAside(d, func() Outcome { return s.uncounted(d, 0, Returned) })
			return
		}
		s.see(d, receiving, handling)
	})
}

// patience is how long a message waits in a worker for a slot. Then others, who
// may have one, can receive it. It is longer than most tasks run, as the copy
// that goes back costs two requests.
const patience = 5 * time.Second

// acquire waits for a slot for d; false when none was had for long. At the end
// of receiving there is none, and d is to be given back.
func (s *shift) acquire(d *delivery, receiving context.Context) bool {
	ctx, cancel := context.WithTimeout(receiving, patience)
	defer cancel()
	d.slot.away = !s.claims.acquire(ctx)
	return !d.slot.away || receiving.Err() != nil
}

// accept takes the lease of a message just received.
func (s *shift) accept(m queue.Message) *delivery {
	d := &delivery{msg: m, run: Run{ID: m.ID, Attempt: earlierFailures(m) + m.Receives, Queue: s.q.Name()}}
	if event, err := Decode(m.Body); err != nil {
		d.unread = err
	} else {
		d.event = event
		d.run.Task, d.run.ID, d.run.Source = event.Type, event.ID, event.Source
		d.run.Enqueued, d.run.Traceparent, d.run.Tracestate = event.Time, event.Traceparent, event.Tracestate
	}
	d.trail = s.trailOf(d)
	s.leases.hold(d, s.o.Visibility)
	return d
}

// see runs the task of a message, or gives it back if the worker is stopping.
func (s *shift) see(d *delivery, receiving, handling context.Context) {
	switch {
	case receiving.Err() != nil:
		s.setAside(d, func() Outcome { return s.giveBack(d) })
	case d.unread != nil:
		s.conclude(d, Permanent(d.unread))
	case s.isCancelled(d):
		s.setAside(d, func() Outcome { return s.remove(d, false, nil) })
	case s.orders.isPaused():
		s.setAside(d, func() Outcome { return s.uncounted(d, 0, Returned) })
	default:
		s.deliver(handling, d)
	}
}

// deliver runs the task of a message, and decides when it cannot be run.
func (s *shift) deliver(ctx context.Context, d *delivery) {
	event := d.event
	if wait := time.Until(event.NotBefore); wait > 0 {
		s.setAside(d, func() Outcome { return s.postpone(d, wait) })
		return
	}
	if limit := s.attempts(event.Type); d.run.Attempt > limit {
		s.conclude(d, Permanent(fmt.Errorf(
			"task: delivered %d times, more than its %d attempts; the runs before ended without a result, as when a worker dies",
			d.run.Attempt, limit)))
		return
	}
	t, ok := s.tasks[event.Type]
	if !ok {
		t, ok = s.tasks[anyName]
	}
	if !ok {
		s.conclude(d, &UnknownTaskError{event.Type})
		return
	}
	if !s.isFirst(ctx, d) {
		return
	}
	if leave, ok := s.admitted(ctx, d); ok {
		defer leave()
		s.execute(ctx, d, t, event)
	}
}

// execute runs the task within its timeout and its lease.
func (s *shift) execute(ctx context.Context, d *delivery, t definition, event *Event) {
	ctx = withEffects(context.WithValue(ctx, runKey{}, &ofRun{d.run, s.given, s.orders}), s.o.Ledger, s.away, event)
	ctx, cancel := context.WithCancelCause(ctx)
	var abandon *time.Timer
	if t.timeout > 0 {
		limited, stop := context.WithTimeoutCause(ctx, t.timeout, ErrTimeout)
		defer stop()
		ctx = limited
		abandon = time.AfterFunc(t.timeout+s.o.Grace, func() {
			if s.conclude(d, errAbandoned) {
				s.about(d).Error("task ignored its timeout and is abandoned", "timeout", t.timeout)
			}
		})
	}
	returned := false
	defer func() {
		if !returned { // by runtime.Goexit, as t.FailNow does
			s.conclude(d, errExited)
		}
	}()
	err := ErrLeaseLost
	if s.leases.start(d, ctx, cancel, abandon) {
		if event, err = s.complete(ctx, event); err == nil {
			err = s.followed(ctx, d, t, event)
		}
	}
	returned = true
	if err != nil && errors.Is(context.Cause(ctx), ErrTimeout) {
		err = fmt.Errorf("%w after %v: %w", ErrTimeout, t.timeout, err)
	}
	if !s.conclude(d, err) {
		s.about(d).Warn("abandoned task returned", "error", err)
	}
}

// errExited is the failure of a run that called runtime.Goexit.
var errExited = errors.New("task: the goroutine exited instead of returning")

// protect runs the task and turns a panic into an error.
func protect(ctx context.Context, run Handler, event *Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: stack()}
		}
	}()
	return run(ctx, event)
}

const maxStack = 8 << 10

// stack of the goroutine that panicked, from the panic on, at most 8 KiB.
func stack() []byte {
	s := debug.Stack()
	if i := bytes.LastIndex(s, []byte("panic(")); i > 0 {
		s = s[i:]
	}
	return s[:min(len(s), maxStack)]
}
