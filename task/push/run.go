package push

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

// holdMax is how long a message is held while it waits for the endpoint. SQS
// lets one be in flight for 12 hours.
const holdMax = time.Hour

// limitedPatience is that of a task that has a place of a limit meanwhile.
const limitedPatience = 2 * time.Second

// Why a task that waited for its endpoint is given back.
var (
	errStopping = errors.New("push: dayfly is stopping")
	errPaused   = errors.New("push: the queue is paused")
)

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// push sends one task until the endpoint has answered, or the task has waited
// too long for that.
func (p *Pusher) push(ctx context.Context, e *task.Event) error {
	info, _ := task.Info(ctx)
	first, err := p.request(e, info)
	if err != nil {
		return task.Permanent(err)
	}
	patience := p.patienceFor(e)
	for held := time.Now(); ; {
		x, err := p.throughGate(ctx, e, first, patience)
		switch {
		case err != nil:
			return err
		case unsent(x.err):
			err = x.err
		case x.err != nil:
			return x.err
		case x.after == 0:
			return x.failure // nil: it is done
		default:
			return task.Postpone(x.failure, x.after)
		}
		if context.Cause(ctx) != nil {
			return err // of a lease that was lost, or a drain that is over
		}
		if patience > 0 && time.Since(held) > patience {
			return awaited(err)
		}
		if time.Since(held) > holdMax {
			return task.Postpone(err, time.Minute)
		}
		if isClosed(p.stopping) {
			return task.Postpone(errStopping, 0)
		}
	}
}

// patienceFor is how long a task waits for the endpoint to be reached before it
// is sent away; 0: for as long as a message is held. One that is let in by a limit
// has a place there, which is not to be kept from processes that reach theirs.
func (p *Pusher) patienceFor(e *task.Event) time.Duration {
	for _, l := range p.o.Limits {
		if (l.Task == "" || l.Task == e.Type) && (l.By == nil || l.By(e) != "") {
			return limitedPatience
		}
	}
	return 0
}

// awaited sends a task away that has waited for the endpoint long enough.
func awaited(err error) error { return task.Postpone(err, 5*time.Second+rand.N(10*time.Second)) }

// throughGate makes one exchange when the gate lets it, which it waits for as long
// as patience says, or for good if that is 0. An error ends the run.
func (p *Pusher) throughGate(ctx context.Context, e *task.Event, r *http.Request, patience time.Duration) (x try, err error) {
	waiting := ctx
	if patience > 0 {
		limited, cancel := context.WithTimeoutCause(ctx, patience, errNotReached)
		defer cancel()
		waiting = limited
	}
	probe, err := p.gate.enter(waiting, p.stopping)
	if errors.Is(err, errNotReached) {
		return x, awaited(err)
	}
	if err != nil {
		return x, task.Postpone(err, 0)
	}
	defer func() { p.gate.leave(probe, x.verdict(), cmp.Or(x.err, x.failure), x.asked()) }() // also of a panic, or nobody passes again
	return p.deliver(ctx, e, r, patience)
}

// deliver makes one exchange, on the ledger if the task asks for that. An error
// is the ledger's, and ends the run.
func (p *Pusher) deliver(ctx context.Context, e *task.Event, r *http.Request, patience time.Duration) (try, error) {
	if key, ok := e.Extensions[OnceKey]; ok {
		return p.once(ctx, key, r)
	}
	return p.exchange(ctx, r, patience), nil
}
