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
	t := &target{name: spec.Name, url: spec.URL, addr: addr, opt: &e.opt, reason: "not checked yet",
		kick: make(chan struct{}, 1), all: map[*conn]struct{}{}}
	t.ctx, t.stop = context.WithCancel(e.ctx)
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

// acquire chooses the available target with the fewest outstanding requests,
// by turns among equals, and counts the request there. avoid is chosen only if
// no other is available. While none is available it waits, until deadline.
func (e *Edge) acquire(ctx context.Context, avoid *target, deadline time.Time) (*target, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.pick(avoid); t != nil {
		return t, nil
	}
	if e.closed || e.held >= e.opt.HoldMax {
		return nil, errHoldFull
	}
	e.held++
	defer func() { e.held-- }()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		ready := e.ready
		e.mu.Unlock()
		var err error
		select {
		case <-ready:
		case <-timer.C:
			err = errHoldOver
		case <-ctx.Done():
			err = ctx.Err()
		}
		e.mu.Lock()
		if err == nil && e.closed {
			err = errHoldFull
		}
		if err != nil {
			return nil, err
		}
		if t := e.pick(avoid); t != nil {
			return t, nil
		}
	}
}

// pick is called with Edge.mu held.
func (e *Edge) pick(avoid *target) *target {
	var best *target
	n := len(e.targets)
	at := 0
	for i := range n {
		j := (e.turn + i) % n
		t := e.targets[j]
		if !t.available() || t == avoid {
			continue
		}
		if best == nil || t.outstanding < best.outstanding {
			best, at = t, j
		}
	}
	if best == nil {
		if avoid == nil || !avoid.available() {
			return nil
		}
		best = avoid
	} else {
		e.turn = (at + 1) % n
	}
	best.outstanding++
	return best
}

// release ends a request that acquire counted.
func (e *Edge) release(t *target, stream, served, failed bool) {
	e.mu.Lock()
	t.outstanding--
	if stream {
		t.streams--
	}
	if served {
		t.served++
	}
	if failed {
		t.failed++
	}
	t.settle()
	e.mu.Unlock()
}

// streaming says that a request under way has no end of its own.
func (e *Edge) streaming(t *target) {
	e.mu.Lock()
	t.streams++
	t.settle()
	e.mu.Unlock()
}

// wakeHeld lets waiting requests look again. It is called with Edge.mu held.
func (e *Edge) wakeHeld() {
	close(e.ready)
	e.ready = make(chan struct{})
}
