package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// Paused is a queue whose tasks are not run.
type Paused struct {
	Queue  string    // its name
	At     time.Time // since when, by the clock of who paused it
	By     string    // who; "" if not said
	Reason string    // why; "" if not said
}

// Pause has no task of a queue begun until Resume: workers with
// WorkerOptions.Records see it within about a second. What runs then finishes;
// what was received and not begun is given back, without an attempt used up (on
// a FIFO queue the delivery counts). Enqueuing goes on, and so does the
// retention of what waits. A queue that is paused already stays so; first is
// false then, and p is who paused it. No queue of that name need exist.
func Pause(ctx context.Context, s *records.Store, queue string, options ...OrderOption) (p Paused, first bool, err error) {
	if err := checkPaused(s, queue); err != nil {
		return Paused{}, false, err
	}
	o := newOrder(options)
	value, err := o.encode()
	if err != nil {
		return Paused{}, false, err
	}
	r, err := s.Update(ctx, pausePrefix+queue, func(old *records.Record) (records.Record, error) {
		if first = old == nil; !first {
			return *old, records.ErrUnchanged
		}
		return records.Record{Value: value, Mark: orderMark}, nil
	})
	if err != nil {
		return Paused{}, false, fmt.Errorf("task: pause %s: %w", queue, err)
	}
	return pausedBy(r), first, nil
}

// Pausing is closed when the queue of the run of ctx is paused, now or later: a
// task that waits for something before it does anything returns Postpone then,
// and comes again when the queue is resumed. It is nil outside of a run, and
// where the worker has no Records.
func Pausing(ctx context.Context) <-chan struct{} {
	r, ok := ctx.Value(runKey{}).(*ofRun)
	if !ok || r.orders == nil {
		return nil
	}
	return r.orders.pausing()
}

// Resume ends the pause of a queue, and reports whether it was paused.
func Resume(ctx context.Context, s *records.Store, queue string) (was bool, err error) {
	if err := checkPaused(s, queue); err != nil {
		return false, err
	}
	r, err := s.Get(ctx, pausePrefix+queue)
	if err == nil {
		err = s.Delete(ctx, r.Key, r.Version)
	}
	switch {
	case errors.Is(err, records.ErrNotFound), errors.Is(err, records.ErrConflict): // somebody else resumed it
		return false, nil
	case err != nil:
		return false, fmt.Errorf("task: resume %s: %w", queue, err)
	}
	return true, nil
}

// Pauses lists the queues that are paused, by name.
func Pauses(ctx context.Context, s *records.Store) ([]Paused, error) {
	if s == nil {
		return nil, ErrNoRecords
	}
	var all []Paused
	for r, err := range s.All(ctx, orderMark) {
		if err != nil {
			return nil, fmt.Errorf("task: list what is paused: %w", err)
		}
		if strings.HasPrefix(r.Key, pausePrefix) {
			all = append(all, pausedBy(r))
		}
	}
	slices.SortFunc(all, func(a, b Paused) int { return strings.Compare(a.Queue, b.Queue) })
	return all, nil
}

// pausedBy reads a record. That it is there is what counts.
func pausedBy(r records.Record) Paused {
	p := Paused{Queue: strings.TrimPrefix(r.Key, pausePrefix)}
	o, err := decodeOrder(r)
	if err != nil {
		p.Reason = err.Error()
		return p
	}
	p.At, _ = when(o.At) // checked
	p.By, p.Reason = o.By, o.Reason
	return p
}

func checkPaused(s *records.Store, queue string) error {
	switch {
	case s == nil:
		return ErrNoRecords
	case queue == "" || len(queue) > 80:
		return fmt.Errorf("task: %.40q is not the name of a queue: it has %d bytes, not 1–80", queue, len(queue))
	}
	return nil
}
