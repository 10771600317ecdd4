package unique

import (
	"context"
	"errors"
	"fmt"

	"github.com/dayfly-dev/dayfly/records"
)

// Take takes the key for a task whose message is in the queue already, before it
// begins: for a program that could not claim it before it sent the message. Nil:
// the key is that task's, now or from before. With a *TakenError it is another's.
// While a program is about to send another it waits, until ctx ends.
//
// A claim whose owner died is taken over. Its message may be in the queue all the
// same, and then there are two.
func (k *Keys) Take(ctx context.Context, call Call) error {
	if err := call.check(); err != nil {
		return err
	}
	owner := k.owner()
	w := watch{now: k.now}
	for failures := 0; ; {
		r, err := k.get(ctx, call.Key)
		if err != nil {
			return err
		}
		if r.Version != "" {
			e, err := decode(call.Key, r.Value)
			switch {
			case err != nil:
				return err
			case e.State == sent && e.ID == call.ID: // or our write, whose answer was lost
				return nil
			case e.State == sent:
				return &TakenError{Key: call.Key, ID: e.ID, Queue: e.Queue}
			case e.State == pending && e.ID != call.ID && !w.over(r.Version, e.Until):
				if err := k.pause(ctx, r.Version, w.look()); err != nil {
					return fmt.Errorf("unique: a task of %q is being enqueued by another process: %w", call.Key, err)
				}
				continue
			}
		}
		c := &Claim{keys: k, entry: entry{key: call.Key, State: sent, ID: call.ID, Queue: call.Queue, Owner: owner},
			expires: k.now().Add(call.Window), version: r.Version}
		switch err := c.write(ctx); {
		case err == nil:
			return nil
		case errors.Is(err, records.ErrConflict):
		case records.Ambiguous(err) && ctx.Err() == nil && failures < writeTries:
			failures++
		default:
			return err
		}
	}
}
