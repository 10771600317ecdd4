package push

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

// holdMax is how long a message is held while it waits for the endpoint. SQS
// lets one be in flight for 12 hours.
const holdMax = time.Hour

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
	for held := time.Now(); ; {
		x, err := p.throughGate(ctx, e, first)
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
		if time.Since(held) > holdMax {
			return task.Postpone(err, time.Minute)
		}
		if isClosed(p.stopping) {
			return task.Postpone(errStopping, 0)
		}
	}
}

// throughGate makes one exchange when the gate lets it. An error ends the run.
func (p *Pusher) throughGate(ctx context.Context, e *task.Event, r *http.Request) (x try, err error) {
	probe, err := p.gate.enter(ctx, p.stopping)
	if err != nil {
		return x, task.Postpone(err, 0)
	}
	defer func() { p.gate.leave(probe, x.verdict(), cmp.Or(x.err, x.failure), x.asked()) }() // also of a panic, or nobody passes again
	return p.deliver(ctx, e, r)
}

// deliver makes one exchange, on the ledger if the task asks for that. An error
// is the ledger's, and ends the run.
func (p *Pusher) deliver(ctx context.Context, e *task.Event, r *http.Request) (try, error) {
	if key, ok := e.Extensions[OnceKey]; ok {
		return p.once(ctx, key, r)
	}
	return p.exchange(ctx, r, 0), nil
}
