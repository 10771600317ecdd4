package edge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	errHoldFull = errors.New("no healthy target and too many requests waiting")
	errHoldOver = errors.New("no healthy target within the time a request waits")
)

// Add puts a target into the balance. It receives requests once it has passed
// one health check, which begins at once; Await waits for that.
func (e *Edge) Add(spec Target) error {
	addr, err := parseTargetURL(spec.URL)
	if err != nil {
		return err
	}
	if spec.Name == "" {
		return errors.New("edge: target has no name")
	}
	t := &target{name: spec.Name, url: spec.URL, addr: addr, reason: "not checked yet", weight: wholeWeight, ticket: newTicket(),
		kick: make(chan struct{}, 1), all: map[*conn]struct{}{}}
	t.opt.Store(&e.setup().Options)
	t.ctx, t.stop = context.WithCancel(e.ctx)
	if e.setup().Protocol == H2C {
		t.h2c = t.newH2C()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		t.stop()
		return ErrClosed
	}
	if e.find(spec.Name) != nil {
		t.stop()
		return fmt.Errorf("%w: %s", ErrTargetExists, spec.Name)
	}
	// A new slice: Stats and others may hold the old one.
	e.targets = append(slices.Clip(e.targets), t)
	e.wg.Add(1)
	go e.watch(t)
	return nil
}

// Await returns when the target is healthy, or when ctx ends or the target is
// removed before.
func (e *Edge) Await(ctx context.Context, name string) error {
	for {
		e.mu.Lock()
		t, ready := e.find(name), e.ready
		ok := t != nil && t.up
		e.mu.Unlock()
		if t == nil {
			return fmt.Errorf("%w: %s", ErrNoTarget, name)
		}
		if ok {
			return nil
		}
		select {
		case <-ready:
		case <-t.ctx.Done():
		case <-ctx.Done():
			e.mu.Lock()
			defer e.mu.Unlock()
			return fmt.Errorf("edge: target %s is not healthy (%s): %w", name, t.reason, ctx.Err())
		}
	}
}

// Drain takes a target out of the balance: no new request goes there from now
// on, and unused connections to it are closed, so that stopping it afterwards
// cannot meet a request. It returns nil when the last outstanding request was
// answered, or ctx's error. Upgraded connections and event streams have no end
// of their own and are not waited for: the instance ends them when it is told
// to stop, and Remove does.
func (e *Edge) Drain(ctx context.Context, name string) error {
	e.mu.Lock()
	t := e.find(name)
	if t == nil {
		e.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrNoTarget, name)
	}
	t.draining = true
	e.left()
	done := t.drained
	if done == nil {
		done = make(chan struct{})
		t.drained = done
	}
	t.settle()
	left := t.outstanding - t.streams
	e.mu.Unlock()
	t.keepNone()
	select {
	case <-done:
		return nil
	default:
	}
	e.log.Info("target draining", "target", name, "outstanding", left)
	select {
	case <-done:
		return nil
	case <-t.ctx.Done():
		return nil // removed meanwhile
	case <-ctx.Done():
		e.mu.Lock()
		left = t.outstanding - t.streams
		e.mu.Unlock()
		return fmt.Errorf("edge: drain %s: %d requests outstanding: %w", name, left, ctx.Err())
	}
}

// settle ends the waiting of Drain if nothing is left to wait for. It is called
// with Edge.mu held.
func (t *target) settle() {
	if t.draining && t.drained != nil && t.outstanding == t.streams {
		select {
		case <-t.drained:
		default:
			close(t.drained)
		}
	}
}

// Remove forgets a target and cuts what connections to it are left. A target
// that is not there is no error.
func (e *Edge) Remove(name string) {
	e.mu.Lock()
	t := e.find(name)
	if t != nil {
		t.gone = true
		e.targets = slices.DeleteFunc(slices.Clone(e.targets), func(o *target) bool { return o == t })
		e.left()
	}
	e.mu.Unlock()
	if t != nil {
		t.stop()
		t.closeConns()
	}
}

// find is called with Edge.mu held.
func (e *Edge) find(name string) *target {
	for _, t := range e.targets {
		if t.name == name {
			return t
		}
	}
	return nil
}

// A want says which target is wanted.
type want struct {
	avoid  *target // chosen only if no other is available
	ticket string  // of the target that the client's cookie names
	keep   bool    // that one is well and stays the client's
}

// acquire chooses a target and counts the request there. While none is
// available the request is held, until deadline; while all that are have as
// many requests as they may, it waits in line.
func (e *Edge) acquire(ctx context.Context, w *want, deadline time.Time) (*target, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := false
	defer func() {
		if held {
			e.held--
		}
	}()
	for {
		if t := e.pick(w); t != nil {
			return t, nil
		}
		if e.closed {
			return nil, errHoldFull
		}
		if e.setup().Balance.PerTarget > 0 && e.anyAvailable() {
			if held {
				e.held--
				held = false
			}
			if t, err := e.waitInLine(ctx, w, false); t != nil || err != nil {
				return t, err
			}
			continue
		}
		if !held {
			if e.held >= e.setup().HoldMax {
				return nil, errHoldFull
			}
			e.held++
			held = true
		}
		if err := e.hold(ctx, deadline); err != nil {
			return nil, err
		}
	}
}

// hold waits until a target may have become available. It is called, and
// returns, with Edge.mu held.
func (e *Edge) hold(ctx context.Context, deadline time.Time) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	ready := e.ready
	e.mu.Unlock()
	defer e.mu.Lock()
	select {
	case <-ready:
		return nil
	case <-timer.C:
		return errHoldOver
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pick chooses the target that the client's cookie names, or else the available
// one with the fewest outstanding requests for its weight, by turns among
// equals, and counts the request there. It looks at all of them: they are at
// most some tens, and the counts are exact, which choosing the better of two at
// random is a substitute for. It is called with Edge.mu held.
func (e *Edge) pick(w *want) *target {
	best := e.preferred(w)
	if best == nil && e.warming {
		best = e.warm(w.avoid, time.Now())
	}
	if best == nil {
		best = e.least(w.avoid)
	}
	if best == nil && w.avoid != nil && w.avoid.available() && !w.avoid.full() {
		best = w.avoid
	}
	if best != nil {
		best.outstanding++
	}
	return best
}

func (e *Edge) least(avoid *target) *target {
	var best *target
	n := len(e.targets)
	at := 0
	for i := range n {
		j := e.turn + i
		if j >= n {
			j -= n
		}
		t := e.targets[j]
		if !t.available() || t == avoid || t.full() {
			continue
		}
		if best == nil || int64(t.outstanding+1)*best.weight < int64(best.outstanding+1)*t.weight {
			best, at = t, j
		}
	}
	if best != nil {
		e.turn = (at + 1) % n
	}
	return best
}

// release ends a request that acquire counted.
func (e *Edge) release(t *target, stream bool, o outcome) {
	e.mu.Lock()
	if stream {
		t.streams--
	}
	switch o {
	case answered, answeredError:
		t.served++
	case faulty, notTaken:
		t.failed++
	}
	out := t.record.add(o, e.setup().Balance.Eject == EjectErrors) && e.eject(t, fmt.Sprintf("%d requests in a row failed", ejectStrikes), time.Now())
	e.free(t)
	e.mu.Unlock()
	if out {
		e.ejected(t)
	}
}

// free gives a request's place at a target up. It is called with Edge.mu held.
func (e *Edge) free(t *target) {
	t.outstanding--
	t.settle()
	e.serveLine()
}

// streaming says that a request under way has no end of its own.
func (e *Edge) streaming(t *target) {
	e.mu.Lock()
	t.streams++
	t.settle()
	e.serveLine()
	e.mu.Unlock()
}

// wakeHeld lets waiting requests look again. It is called with Edge.mu held.
func (e *Edge) wakeHeld() {
	e.serveLine()
	close(e.ready)
	e.ready = make(chan struct{})
}
