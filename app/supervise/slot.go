package supervise

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// slot keeps one instance ("web.1") running. Its goroutine owns the child.
type slot struct {
	spec *Spec
	o    *Options
	name string

	stop    context.CancelFunc // ends the instance gracefully
	hurry   chan struct{}      // closed: no more patience
	replace chan chan error
	done    chan struct{}

	mu       sync.Mutex
	status   Status
	ready    chan struct{} // closed once it has run
	failed   chan struct{} // closed once it is clear that it does not start
	failure  *StartError
	everRan  bool
	failures int // starts in a row that failed
	tries    time.Time

	healer healer
}

// startTries is how many starts in a row must fail before a process that never
// ran is given up; a health check that does not pass in time counts at once.
const startTries = 3

func newSlot(spec *Spec, o *Options, number int, turn chan struct{}) *slot {
	name := spec.Name + "." + strconv.Itoa(number)
	return &slot{spec: spec, o: o, name: name, hurry: make(chan struct{}), replace: make(chan chan error),
		done: make(chan struct{}), ready: make(chan struct{}), failed: make(chan struct{}),
		healer: healer{turn: turn},
		status: Status{Name: name, Group: spec.Name, State: Starting}}
}

func (s *slot) run(ctx context.Context) {
	defer close(s.done)
	defer s.set(func(st *Status) { st.State, st.PID, st.Port, st.Target = Stopped, 0, 0, "" })
	asked := make(chan error, 1) // by whom the start was asked for; at first nobody reads it
	defer func() { asked <- ErrStopped }()
	for ctx.Err() == nil {
		c, err := s.launch(ctx)
		if err == nil {
			s.enter(c)
		}
		if ctx.Err() == nil || err == nil {
			asked <- err
			asked = make(chan error, 1)
		}
		switch {
		case err == nil:
			if s.watch(ctx, c) {
				return
			}
		case ctx.Err() != nil:
			return
		default:
			s.explain(err)
		}
		if answer := s.backOff(ctx); answer != nil {
			asked = answer
		}
	}
}

// watch follows a running child, and its replacements, to its end; true when
// the end was asked for.
func (s *slot) watch(ctx context.Context, c *child) bool {
	sick, stop := s.sick()
	defer stop()
	for {
		select {
		case <-c.exited:
			s.leave(c)
			s.say("%s", c.cause)
			s.set(func(st *Status) { st.Restarts++; st.LastExit = c.cause })
			s.mu.Lock()
			if time.Since(c.started) > s.o.StableAfter {
				s.failures = 0
			}
			s.failures++
			s.mu.Unlock()
			return false
		case answer := <-s.replace:
			next, err := s.succeed(ctx, c)
			if err != nil && ctx.Err() != nil {
				err = ErrStopped
			}
			answer <- err
			if next != nil {
				c = next
			}
		case <-sick:
			if next := s.heal(ctx, c); next != nil {
				c = next
			}
		case <-ctx.Done():
			s.retire(c)
			return true
		}
	}
}

// succeed replaces a child: for HTTP the next one serves before the old one
// drains; others end before the next begins, so that never two run at once.
func (s *slot) succeed(ctx context.Context, old *child) (*child, error) {
	if !s.spec.HTTP {
		s.retire(old)
		next, err := s.launch(ctx)
		if err != nil {
			s.explain(err)
			return nil, err // old has exited: watch notices and backs off
		}
		s.enter(next)
		return next, nil
	}
	next, err := s.launch(ctx)
	if err != nil {
		return nil, err
	}
	s.enter(next)
	s.retire(old)
	s.set(func(st *Status) { st.State = Running })
	return next, nil
}

// launch starts a child and waits until it is healthy.
func (s *slot) launch(ctx context.Context) (*child, error) {
	s.mu.Lock()
	if s.status.PID == 0 {
		s.status.State = Starting
	}
	if s.failures == 0 {
		s.tries = time.Now()
	}
	s.mu.Unlock()
	c, err := startChild(s.spec, s.o, s.name)
	if err != nil {
		return nil, &StartError{Process: s.name, Command: s.spec.Command, Cause: "could not be started: " + err.Error(), Tried: "once"}
	}
	if err := s.gate(ctx, c); err != nil {
		c.stop(s.spec.StopTimeout, s.hurry)
		return nil, err
	}
	return c, nil
}

func (s *slot) startError(c *child, cause string) *StartError {
	s.mu.Lock()
	tries, since := s.failures+1, s.tries
	s.mu.Unlock()
	tried := "started once"
	if tries > 1 {
		tried = fmt.Sprintf("started %d times in %s", tries, time.Since(since).Round(100*time.Millisecond))
	}
	return &StartError{Process: s.name, Command: s.spec.Command, Cause: cause, Tried: tried, Output: c.lastLines()}
}

// explain records a failed start, and decides whether a process that never ran
// is given up by those who wait for it.
func (s *slot) explain(err error) {
	var e *StartError
	if !errors.As(err, &e) {
		e = &StartError{Process: s.name, Command: s.spec.Command, Cause: err.Error(), Tried: "once"}
	}
	s.say("%s", e.Cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	s.status.LastExit = e.Cause
	if s.everRan {
		s.status.Restarts++
	}
	s.failure = e
	if !s.everRan && (s.failures >= startTries || errors.Is(err, errUnhealthy)) {
		select {
		case <-s.failed:
		default:
			close(s.failed)
		}
	}
}

// backOff waits before the next start: doubling, capped, with jitter. A restart
// asked for does not wait: its answer is returned.
func (s *slot) backOff(ctx context.Context) chan error {
	s.mu.Lock()
	wait := s.o.BackoffMax
	if n := s.failures - 1; n < 20 {
		wait = min(s.o.BackoffMin<<max(n, 0), s.o.BackoffMax)
	}
	s.status.State, s.status.PID, s.status.Port = BackingOff, 0, 0
	s.mu.Unlock()
	wait = time.Duration(float64(wait) * (0.75 + rand.Float64()/2))
	s.say("is started again in %s", wait.Round(10*time.Millisecond))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case answer := <-s.replace:
		return answer
	}
	return nil
}

// enter makes a healthy child the instance.
func (s *slot) enter(c *child) {
	if s.spec.HTTP {
		if err := s.o.Front.Add(c.target, "http://127.0.0.1:"+strconv.Itoa(c.port)); err != nil {
			s.o.Log.Error("edge refuses an instance", "process", s.name, "error", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.State, s.status.PID, s.status.Port, s.status.Target, s.status.Started = Running, c.pid, c.port, c.target, c.started
	if !s.everRan {
		s.everRan = true
		close(s.ready)
	}
}

// leave tells the front that a child is gone.
func (s *slot) leave(c *child) {
	if s.spec.HTTP {
		s.o.Front.Remove(c.target)
	}
	s.set(func(st *Status) {
		if st.PID == c.pid {
			st.PID, st.Port, st.Target = 0, 0, ""
		}
	})
}

// retire drains a child and ends it.
func (s *slot) retire(c *child) { s.retireWithin(c, s.o.DrainTimeout) }

func (s *slot) retireWithin(c *child, drain time.Duration) {
	s.set(func(st *Status) {
		if st.PID == c.pid {
			st.State = Draining
		}
	})
	if s.spec.HTTP {
		ctx, cancel := context.WithTimeout(context.Background(), drain)
		go func() {
			select {
			case <-s.hurry:
			case <-ctx.Done():
			}
			cancel()
		}()
		if err := s.o.Front.Drain(ctx, c.target); err != nil {
			s.o.Log.Warn("requests were cut off", "process", s.name, "error", err)
		}
		cancel()
	}
	c.stop(s.spec.StopTimeout, s.hurry)
	s.leave(c)
}

func (s *slot) say(format string, args ...any) {
	s.o.Output(s.name, "dayfly", s.name+" "+fmt.Sprintf(format, args...))
}

func (s *slot) set(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}
