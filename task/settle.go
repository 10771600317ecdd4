package task

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue"
)

const (
	settleTimeout = 10 * time.Second // of one request about messages that were run
	settleTries   = 5
)

// conclude ends the run of d with what it returned and sees to its message.
// Only the first call for a delivery does, and returns true: a run that was
// abandoned may still return.
func (s *shift) conclude(d *delivery, err error) bool {
	e, first := s.leases.settle(d)
	if !first {
		return false
	}
	d.abandoned = errors.Is(err, errAbandoned)
	err = s.proceed(d, err, e)
	outcome := s.dispose(d, err, e)
	s.told(d, outcome, err)
	s.o.OnResult(Result{Run: d.run, Outcome: outcome, Err: err, Took: e.took})
	s.finish(d)
	return true
}

// finish frees the slot of d, or lets its line go on with it.
func (s *shift) finish(d *delivery) {
	if d.line != nil {
		close(d.over)
		return
	}
	s.freeSlot(d)
	s.active.Done()
}

// setAside sees to a message that is not run now; there is no result of it
// unless it is given back.
func (s *shift) setAside(d *delivery, how func() Outcome) {
	if e, first := s.leases.settle(d); first {
		if e.lost {
			d.kept = true
			s.leases.drop(d)
		} else if outcome := how(); outcome != "" {
			s.o.OnResult(Result{Run: d.run, Outcome: outcome})
		}
		s.finish(d)
	}
}

// dispose decides what becomes of the message.
func (s *shift) dispose(d *delivery, err error, e ending) Outcome {
	switch {
	case e.lost:
		// Not even a success is acknowledged: the message has another
		// receipt by now, and on SQS a delete by the old one may or may not
		// take it from under the worker that has it.
		s.about(d).Warn("task ended after its lease was lost; it runs again", "error", err)
		d.kept = true
		s.leases.drop(d)
		return Lost
	case err == nil:
		if errors.Is(e.cause, ErrCancelled) {
			s.finishedAllTheSame(d)
		}
		s.free(d)
		d.done = true
		s.deletes.add(d)
		return Done
	case errors.Is(e.cause, ErrCancelled) && !errors.Is(err, ErrUnknown):
		return s.remove(d, true, err)
	case IsPostponed(err):
		return s.comeAgain(d, err)
	case errors.Is(e.cause, ErrDraining):
		s.about(d).Info("task given back: the worker is stopping", "error", err)
		return s.giveBack(d)
	case IsPermanent(err) || d.run.Attempt >= s.attempts(d.run.Task):
		return s.deadLetter(d, err)
	}
	pause := s.o.Backoff.pause(d.run.Attempt)
	if after, ok := errors.AsType[*retryAfterError](err); ok {
		pause = after.after
	}
	s.about(d).Warn("task failed and will be retried", "error", err, "pause", pause)
	if !s.hold(d, pause, err) {
		s.putBack(d, pause)
	}
	return Retried
}

// putBack makes the message visible again after a pause.
func (s *shift) putBack(d *delivery, pause time.Duration) {
	d.pause, d.kept = pause, true
	s.returns.add(d)
}

// giveBack makes the message of a task that did not fail visible at once. It
// was delivered all the same, and counted; where that was its last attempt a
// fresh copy takes its place, else stopping a worker would dead-letter it.
func (s *shift) giveBack(d *delivery) Outcome {
	pause := max(0, time.Until(d.due)) // 0 but for one that waits in its line
	if s.lastDelivery(d) {
		s.resend(d, wholeSeconds(pause))
	} else {
		s.putBack(d, pause)
	}
	return Returned
}

// postpone puts back a task whose time has not come. The queue holds a message
// at most 15 minutes, so the message is sent again, as often as it takes, and
// then deleted: a crash in between leaves two.
func (s *shift) postpone(d *delivery, wait time.Duration) Outcome {
	if isFIFO(s.q.Name()) { // delays no single message
		s.putBack(d, min(wholeSeconds(wait), maxVisibility))
	} else {
		s.resend(d, min(wholeSeconds(wait), maxDelay))
	}
	return ""
}

// resend replaces the message by a fresh copy.
func (s *shift) resend(d *delivery, delay time.Duration) {
	m := queue.Outgoing{
		Body: d.msg.Body, Attributes: withLimit(d.msg, d.limit), System: d.msg.System,
		Delay: delay, GroupID: d.msg.GroupID,
	}
	if isFIFO(s.q.Name()) {
		// The queue would drop the copy for having the original's id.
		m.Delay, m.DedupID = -1, uuid.NewString()
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	if _, err := s.q.Send(ctx, m); err != nil {
		s.about(d).Error("cannot put a task back", "error", err)
		s.putBack(d, delay)
		return
	}
	s.deletes.add(d)
}

// deleteBatch acknowledges what was run. What cannot be acknowledged runs
// again when its lease is over.
func (s *shift) deleteBatch(ds []*delivery) {
	s.settleAll(ds, "delete", func(ctx context.Context, ds []*delivery) ([]error, error) {
		receipts := make([]string, len(ds))
		for i, d := range ds {
			receipts[i] = d.msg.Receipt
		}
		errs, err := s.q.Delete(ctx, receipts...)
		for i, d := range ds {
			if err == nil && errs[i] == nil {
				s.spent(d)
			}
		}
		return errs, err
	})
}

// returnBatch changes when messages are visible again. What cannot be changed
// is visible when its lease is over.
func (s *shift) returnBatch(ds []*delivery) {
	for _, d := range ds {
		s.leases.giveUp(d)
	}
	s.settleAll(ds, "put back", func(ctx context.Context, ds []*delivery) ([]error, error) {
		changes := make([]queue.VisibilityChange, len(ds))
		for i, d := range ds {
			changes[i] = queue.VisibilityChange{Receipt: d.msg.Receipt, Visibility: d.pause, GivenBack: !d.abandoned}
		}
		return s.q.ChangeVisibility(ctx, changes...)
	})
}

// settleAll makes one call for all of ds, and again for those that failed for
// a reason that may pass, and drops them.
func (s *shift) settleAll(ds []*delivery, what string, call func(context.Context, []*delivery) ([]error, error)) {
	for try := 1; len(ds) > 0; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		errs, err := call(ctx, ds)
		cancel()
		var again []*delivery
		for i, d := range ds {
			e := err
			if e == nil {
				e = errs[i]
			}
			switch {
			case e == nil:
				s.leases.drop(d)
			case gone(e), errors.Is(e, queue.ErrClosed), try == settleTries:
				s.leases.drop(d)
				s.about(d).Warn("cannot "+what+" a message; its task may run again", "error", e)
			default:
				again = append(again, d)
			}
		}
		if ds = again; len(ds) > 0 {
			time.Sleep(50 * time.Millisecond << try)
		}
	}
}
