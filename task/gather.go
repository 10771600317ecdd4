package task

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/queue"
)

const (
	// A call is sent at once while fewer than eagerLanes requests of the client
	// are under way and have one call each. Beyond that it waits for one of them
	// to end, or for enough to fill a request (ten, of dayfly's own queue 100), of
	// which sendLanes may be under way. So two callers never wait for each other,
	// and many need a fraction of the requests: on a machine of our own a request
	// costs as much as ten of its messages.
	//
	// Processor time a call of 16 callers, client and endpoint, with lone calls in
	// the second lane whatever is in the first, and as here: 75, 49 µs.
	eagerLanes = 2
	// gathered is how many calls wait; those beyond wait for a place.
	gathered = 1000
)

// gatherer sends messages of calls that are made at once in common requests.
type gatherer struct {
	q     *queue.Queue
	sends *batcher[*sending]
}

// sending is the message of one call.
type sending struct {
	ctx  context.Context
	m    queue.Outgoing
	done chan error // of one place, so that a caller may have left
}

func newGatherer(q *queue.Queue) *gatherer {
	g := &gatherer{q: q}
	g.sends = newBatcher(g.sendBatch, sendLanes, gathered)
	g.sends.eager, g.sends.shares = eagerLanes, true
	g.sends.size = q.Service().BatchSize
	return g
}

// send stores one message; other callers' errors are not its.
func (g *gatherer) send(ctx context.Context, m queue.Outgoing) error {
	if g.sends.enter() {
		defer g.sends.leave()
		_, err := g.q.Send(ctx, m)
		return err
	}
	s := &sending{ctx: ctx, m: m, done: make(chan error, 1)}
	g.sends.add(s)
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
		return ctx.Err() // it may be stored all the same
	}
}

// sendBatch makes as few requests as the messages' sizes allow.
func (g *gatherer) sendBatch(all []*sending) {
	calls := make([]call, 0, len(all))
	waiting := all[:0]
	for _, s := range all {
		if err := s.ctx.Err(); err != nil { // its caller has left
			s.done <- err
			continue
		}
		calls, waiting = append(calls, call{Outgoing: s.m}), append(waiting, s)
	}
	for len(calls) > 0 {
		n := batch(calls, g.sends.size())
		g.sendTogether(waiting[:n])
		waiting, calls = waiting[n:], calls[n:]
	}
}

func (g *gatherer) sendTogether(some []*sending) {
	if len(some) == 1 {
		_, err := g.q.Send(some[0].ctx, some[0].m)
		some[0].done <- err
		return
	}
	out := make([]queue.Outgoing, len(some))
	for i, s := range some {
		out[i] = s.m
	}
	ctx, cancel := together(some)
	_, err := g.q.Send(ctx, out...)
	cancel()
	partial, known := errors.AsType[*queue.PartialError](err)
	_, untried := errors.AsType[*queue.InvalidError](err)
	for i, s := range some {
		switch {
		case known:
			s.done <- partial.Errs[i]
		case untried || errors.Is(err, queue.ErrTooLarge):
			// One of them is not taken, and none is stored: each by itself.
			g.sendTogether(some[i : i+1])
		default:
			s.done <- err
		}
	}
}

// together is a context that ends when those of all have ended.
func together(all []*sending) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(all[0].ctx))
	var left atomic.Int64
	left.Store(int64(len(all)))
	stops := make([]func() bool, len(all))
	for i, s := range all {
		if s.ctx.Done() == nil {
			continue // it never ends, and so do all together
		}
		stops[i] = context.AfterFunc(s.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, sync.OnceFunc(func() {
		for _, stop := range stops {
			if stop != nil {
				stop()
			}
		}
		cancel()
	})
}
