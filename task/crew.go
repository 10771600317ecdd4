package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/task/internal/hold"
	"github.com/dayfly-dev/dayfly/task/limit"
)

// crew is one Run of a worker: a shift for each of its queues, which share its
// slots and its limits.
type crew struct {
	*Worker
	slots  *slots
	book   *limit.Book // of limits
	shifts []*shift
}

// gather looks at the queues of the worker.
func (w *Worker) gather(ctx context.Context) (*crew, error) {
	c := &crew{Worker: w, book: limit.NewBook(w.o.Records)}
	for _, source := range w.sources {
		s, err := w.join(ctx, source)
		if err != nil {
			return nil, err
		}
		s.mayHold = hold.Allowed(ctx)
		c.shifts = append(c.shifts, s)
	}
	return c, nil
}

// join makes the shift of one queue.
func (w *Worker) join(ctx context.Context, source Source) (*shift, error) {
	q := source.Queue
	d, err := q.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("task: worker of %s: %w", q.Name(), err)
	}
	o, err := w.o.bind(d, q.Service())
	if err != nil {
		return nil, err
	}
	if _, err := o.DeadLetter.Describe(ctx); err != nil {
		return nil, fmt.Errorf("task: dead-letter queue %s of %s: %w", o.DeadLetter.Name(), q.Name(), err)
	}
	return newShift(w, q, o, d.Attributes.DeadLetter), nil
}

// names of the worker's queues.
func (c *crew) names() string {
	var names []string
	for _, s := range c.shifts {
		names = append(names, s.q.Name())
	}
	return strings.Join(names, ", ")
}

func (c *crew) work(ctx context.Context) error {
	receiving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// Handlers outlive ctx until the drain is over.
	handling, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	c.slots = newSlots(c.o.Concurrency, c.sources, c.quiet)
	defer c.slots.close()
	var beside, receivers sync.WaitGroup
	ended := make(chan struct{})
	free := newHands(ended)
	for i, s := range c.shifts {
		s.hands = free
		s.stopped, s.claims = receiving.Done(), c.slots.of[i]
		s.limits = newLimits(s.o.Limits, s.q.Name(), c.book, s.claims)
		beside.Go(func() { s.heartbeat(ended) })
	}
	if c.o.Records != nil {
		beside.Go(func() {
			c.watch(ended)
			for _, s := range c.shifts {
				s.tellNothing()
			}
		})
	}
	for _, s := range c.shifts {
		s.startReceivers(&receivers, receiving, handling, stop)
	}
	receivers.Wait()
	abandoned := c.drain(c.drainTime(ctx), cancel)
	for _, s := range c.shifts {
		s.deletes.wait()
		s.returns.wait()
	}
	close(ended)
	beside.Wait()
	for _, s := range c.shifts {
		s.endRemovals()
	}
	c.book.Close()
	return c.outcome(ctx, receiving, abandoned)
}

// outcome is what Run returns.
func (c *crew) outcome(ctx, receiving context.Context, abandoned int) error {
	if ctx.Err() == nil {
		return fmt.Errorf("task: worker of %s: %w", c.names(), context.Cause(receiving))
	}
	if abandoned > 0 {
		return fmt.Errorf("task: worker of %s: %d tasks ignored the end of their context; they are given back but still run here",
			c.names(), abandoned)
	}
	return nil
}

// startReceivers starts those that take messages. When one ends for good it
// stops the others.
func (s *shift) startReceivers(all *sync.WaitGroup, receiving, handling context.Context, stop context.CancelCauseFunc) {
	most := (s.o.Concurrency + receiveMax - 1) / receiveMax
	s.pollers.init(most)
	for range most {
		all.Go(func() {
			if err := s.receive(receiving, handling); err != nil {
				stop(err)
			}
		})
	}
}

// drainTime is how long tasks may go on: until what ended ctx says that all
// must have ended (see package spot), else for DrainTimeout.
func (c *crew) drainTime(ctx context.Context) time.Duration {
	var limit interface{ DrainBy() (time.Time, bool) }
	if errors.As(context.Cause(ctx), &limit) {
		if by, ok := limit.DrainBy(); ok {
			return max(0, time.Until(by)-c.o.Grace)
		}
	}
	return c.o.DrainTimeout
}

// drain waits for what runs, ends it, and abandons what does not end. It
// returns how many were abandoned.
func (c *crew) drain(limit time.Duration, cancel context.CancelCauseFunc) int {
	done := make(chan struct{})
	go func() { // ends: below, everything active is concluded
		for _, s := range c.shifts {
			s.active.Wait()
		}
		close(done)
	}()
	if waitFor(done, limit) {
		return 0
	}
	cancel(ErrDraining)
	if waitFor(done, c.o.Grace) {
		return 0
	}
	n := 0
	for _, s := range c.shifts {
		n += s.abandonAll()
	}
	<-done
	return n
}

// abandonAll gives up what does not end, and returns how much that is.
func (s *shift) abandonAll() (n int) {
	for _, d := range s.leases.unsettled() {
		if s.conclude(d, errAbandoned) {
			n++
			s.about(d).Error("task ignored the end of its context and is abandoned")
		}
	}
	return n
}

func waitFor(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}
