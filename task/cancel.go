package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// ErrCancelled is the cause with which the context of a run ends whose task was
// cancelled.
var ErrCancelled = errors.New("task: cancelled")

// cancelRetention is how long an order to cancel is kept: as long as any queue
// keeps a message.
const cancelRetention = 14 * 24 * time.Hour

// Cancellation is the order to cancel a task, and what became of it.
type Cancellation struct {
	ID     string    // of the task
	At     time.Time // when it was ordered, by the clock of who did
	By     string    // who; "" if not said
	Reason string    // why; "" if not said

	// Applied is when a worker met the task and removed it; zero: not yet.
	Applied  time.Time
	Running  bool   // it was running then
	Finished bool   // it finished all the same, successfully
	Task     string // its name
	Queue    string // where it was
	Rest     string // of a chain: the tasks that are not enqueued for it
}

// Cancel has the task of an id not run, or no longer: workers with
// WorkerOptions.Records see it within about a second.
//
// A task that waits is removed from its queue when a worker receives it, and
// what Cancel returns, asked again, says so. The context of one that runs ends
// with the cause ErrCancelled: if it returns an error, or does not return within
// WorkerOptions.Grace, it is removed and not retried; if it returns nil it is
// done. An effect of Once under way is not broken off, as nobody would know then
// whether it happened.
//
// A task that keeps its state (see Keep) and is done is Finished, and nothing is
// ordered. Of another it is not known whether there is one of that id. The order holds for 14 days, as
// long as any queue keeps a message, or until ten minutes after it took effect.
func Cancel(ctx context.Context, s *records.Store, id string, options ...OrderOption) (Cancellation, error) {
	if s == nil {
		return Cancellation{}, ErrNoRecords
	}
	if id == "" || len(id) > MaxID {
		return Cancellation{}, fmt.Errorf("task: %.40q is not the id of a task: it has %d bytes, not 1–%d", id, len(id), MaxID)
	}
	if st, err := StatusOf(ctx, s, id); err == nil && st.State == Finished && st.Attempt > 0 {
		return Cancellation{ID: id, Finished: true, Task: st.Task, Queue: st.Queue, Applied: st.At}, nil
	}
	o := newOrder(options)
	value, err := o.encode()
	if err != nil {
		return Cancellation{}, err
	}
	r, err := s.Update(ctx, cancelPrefix+id, func(old *records.Record) (records.Record, error) {
		if old != nil && old.Mark != "" { // else a task of that id is there again
			return *old, records.ErrUnchanged
		}
		return records.Record{Value: value, Mark: orderMark, Expires: time.Now().Add(cancelRetention)}, nil
	})
	if err != nil {
		return Cancellation{}, fmt.Errorf("task: cancel %s: %w", id, err)
	}
	return cancellation(r)
}

// CancellationOf returns the order to cancel a task, and false if there is none.
func CancellationOf(ctx context.Context, s *records.Store, id string) (c Cancellation, ordered bool, err error) {
	if s == nil {
		return c, false, ErrNoRecords
	}
	r, err := s.Get(ctx, cancelPrefix+id)
	if errors.Is(err, records.ErrNotFound) {
		return c, false, nil
	} else if err != nil {
		return c, false, fmt.Errorf("task: cancellation of %s: %w", id, err)
	}
	c, err = cancellation(r)
	return c, err == nil, err
}

func cancellation(r records.Record) (Cancellation, error) {
	o, err := decodeOrder(r)
	if err != nil {
		return Cancellation{}, err
	}
	c := Cancellation{ID: strings.TrimPrefix(r.Key, cancelPrefix), By: o.By, Reason: o.Reason,
		Running: o.Running, Finished: o.Finished, Task: o.Task, Queue: o.Queue, Rest: o.Rest}
	c.At, _ = when(o.At) // checked
	c.Applied, _ = when(o.Applied)
	return c, nil
}

// cancelRuns ends the runs of tasks that were cancelled, and has those that do
// not return in time abandoned.
func (l *leases) cancelRuns(cancelled map[string]bool, grace time.Duration, abandon func(*delivery)) {
	if len(cancelled) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for d := range l.held {
		if d.lost || d.state != running || d.cancel == nil || d.ctx.Err() != nil || by(cancelled, d) == "" {
			continue
		}
		d.cancel(ErrCancelled)
		if d.abandon != nil {
			d.abandon.Stop()
		}
		d.abandon = time.AfterFunc(grace, func() { abandon(d) })
	}
}

// remove sees to the message of a task that was cancelled: first the record says
// so, then the message goes. After a crash in between it is removed by the next
// who receives it.
func (s *shift) remove(d *delivery, running bool, err error) Outcome {
	if e := s.applied(d, running, false); e != nil {
		s.about(d).Error("cannot note that a task was cancelled; it comes again", "error", e)
		s.putBack(d, wholeSeconds(s.o.Backoff.pause(d.run.Attempt)))
		return Retried
	}
	s.settledFor(d, ErrCancelled)
	if !running {
		s.told(d, Cancelled, nil)
	}
	s.about(d).Info("task cancelled", "running", running, "error", err)
	s.free(d)
	d.done = true // its payload goes with the message
	s.deletes.add(d)
	return Cancelled
}

// applied notes what became of an order to cancel.
func (s *shift) applied(d *delivery, running, finished bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	id := s.orders.order(d)
	if id == "" { // it expired meanwhile
		id = d.run.ID
	}
	_, err := s.o.Records.Update(ctx, cancelPrefix+id, func(old *records.Record) (records.Record, error) {
		if old == nil { // it expired
			return records.Record{}, records.ErrUnchanged
		}
		o, err := decodeOrder(*old)
		switch {
		case err != nil:
			o = newOrder(nil) // the order counts, not what is written in it
		case o.Applied != "":
			return *old, records.ErrUnchanged // by a duplicate
		}
		o.Applied, o.Running, o.Finished = stamp(time.Now()), running, finished
		o.Task, o.Queue = d.run.Task, d.run.Queue
		if d.trail != nil && d.trail.chain != nil {
			o.Rest = clipped(d.trail.chain.what(), maxOrderWhy)
		}
		old.Value, err = o.encode()
		return *old, err
	})
	return err
}

// finishedAllTheSame notes that a cancelled run ended with success.
func (s *shift) finishedAllTheSame(d *delivery) {
	if err := s.applied(d, true, true); err != nil {
		s.about(d).Warn("cannot note that a cancelled task finished all the same", "error", err)
	}
}
