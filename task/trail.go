package task

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// trail is what hangs on the run of a message besides its own work: a state to
// be kept, the next step of a chain, a batch that counts it.
type trail struct {
	keeper *keeper // nil: its state is not kept
	chain  *chain
	member *batchMember
	then   *completion
	result result
	err    error // the message says what cannot be followed
}

// OwnExtension reports whether an extension of an event says what hangs on a run,
// which the worker sees to: it is of no use to the task, and may be long.
func OwnExtension(name string) bool { return name == chainExtension || name == batchExtension }

// trailOf reads what a message says of it; nil if there is nothing.
func (s *shift) trailOf(d *delivery) *trail {
	if d.event == nil {
		return nil
	}
	t, ok := s.tasks[d.event.Type]
	if !ok {
		t = s.tasks[anyName]
	}
	chained, batched := d.event.Extensions[chainExtension], d.event.Extensions[batchExtension]
	if t.keep == 0 && chained == "" && batched == "" {
		return nil
	}
	tr := &trail{keeper: s.keeperOf(d, t.keep)}
	if chained != "" {
		tr.chain, tr.err = readChain(chained)
	}
	if batched != "" && tr.err == nil {
		tr.member, tr.then, tr.err = readBatch(batched)
	}
	return tr
}

// isCancelled reports whether a task is, by its id or by that of the chain or
// batch it is of.
func (s *shift) isCancelled(d *delivery) bool { return s.orders.order(d) != "" }

// names are the ids by which a task is cancelled.
func (d *delivery) names() [3]string {
	n := [3]string{d.run.ID}
	if d.trail != nil {
		if d.trail.chain != nil {
			n[1] = d.trail.chain.ID
		}
		if d.trail.member != nil {
			n[2] = d.trail.member.ID
		} else if d.trail.then != nil {
			n[2] = d.trail.then.ID
		}
	}
	return n
}

// followed runs the task, with a place for what its function tells.
func (s *shift) followed(ctx context.Context, d *delivery, t definition, event *Event) error {
	tr := d.trail
	if tr == nil {
		return protect(ctx, t.handle, event)
	}
	if tr.err != nil {
		return Permanent(tr.err)
	}
	if (tr.member != nil || tr.then != nil) && s.o.Records == nil {
		return fmt.Errorf("task %s is of a batch, which is counted on record: %w", event.Type, ErrNoRecords)
	}
	ctx = context.WithValue(ctx, resultKey{}, &tr.result)
	if tr.then != nil {
		ctx = context.WithValue(ctx, batchKey{}, &ofBatch{s.o.Records, tr.then.ID})
	}
	if k := tr.keeper; k != nil {
		if err := k.begin(ctx); err != nil && !errors.Is(err, errSuperseded) {
			s.about(d).Warn("cannot record that a task runs", "error", err)
		}
		ctx = context.WithValue(ctx, keeperKey{}, k)
	}
	return protect(ctx, t.handle, event)
}

// proceed does, before the message of a run that succeeded goes, what hangs on
// its success. An error is the failure of the run: it is tried again, and all
// that was done here already is done again, to the same end.
func (s *shift) proceed(d *delivery, err error, e ending) error {
	tr := d.trail
	if tr == nil || err != nil || e.lost {
		return err
	}
	if c := tr.chain; c != nil && len(c.Rest) > 0 && !errors.Is(e.cause, ErrCancelled) {
		if err := s.enqueueNext(d, c, tr.result.get()); err != nil {
			return fmt.Errorf("task: the next step of the chain is not enqueued: %w", err)
		}
	}
	if tr.member != nil {
		if err := s.tally(d, tr.member, nil); err != nil {
			return fmt.Errorf("task: the batch does not know that its member is done: %w", err)
		}
	}
	if tr.keeper != nil {
		if err := tr.keeper.end(Finished, nil, tr.result.get()); err != nil {
			return fmt.Errorf("task: it cannot be recorded that the task is done: %w", err)
		}
	}
	return nil
}

// settledFor tells a batch that a member will not succeed, before its message
// goes. When the batch cannot be told the message goes all the same: a redrive
// of the dead letter tells it.
func (s *shift) settledFor(d *delivery, reason error) {
	if d.trail == nil || d.trail.member == nil || s.o.Records == nil {
		return
	}
	var err error
	for try := range settleTries {
		if err = s.tally(d, d.trail.member, reason); err == nil {
			return
		}
		<-time.After(50 * time.Millisecond << try)
	}
	s.about(d).Error("a batch does not know that its member failed: it stays open until the dead letter is redriven",
		"batch", d.trail.member.ID, "error", err)
}

// told puts on record what became of a run that did not succeed.
func (s *shift) told(d *delivery, outcome Outcome, reason error) {
	if d.trail == nil || d.trail.keeper == nil {
		return
	}
	var state State
	switch outcome {
	case Dead:
		state = Failed
	case Cancelled:
		state = WasCancelled
	case Retried, Postponed, Returned:
		state = Waiting
	default:
		d.trail.keeper.stop()
		return
	}
	if err := d.trail.keeper.end(state, reason, nil); err != nil {
		s.about(d).Warn("cannot record what became of a task", "state", state, "error", err)
	}
}
