package supervise

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	healEach    = time.Second     // how often a slot asks about its instance, at most
	healDrain   = 5 * time.Second // for the requests of an instance that answers none
	healWaitMax = 10 * time.Minute
)

// healer replaces an instance that runs and does not pass its health check: one
// that hangs never ends by itself. The replacement is started first, as in a
// restart, so that an instance which is only cut off from something, as all
// then are, is not ended for it: its successor does not become healthy either.
// One of a group is replaced at a time.
type healer struct {
	turn chan struct{} // the group's; holds one
	wait time.Duration // before the next try, after one that failed
	next time.Time
}

// sick is a channel that says when to ask about the instance; nil if never.
func (s *slot) sick() (<-chan time.Time, func()) {
	if !s.spec.HTTP || s.spec.RestartUnhealthy <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(min(healEach, s.spec.RestartUnhealthy))
	return t.C, t.Stop
}

// heal replaces the child if it has been unhealthy for too long, and returns
// the new one, or nil.
func (s *slot) heal(ctx context.Context, c *child) *child {
	h := &s.healer
	since, reason := s.o.Front.Down(c.target)
	if since.IsZero() {
		h.wait, h.next = 0, time.Time{}
		return nil
	}
	if time.Since(since) < s.spec.RestartUnhealthy || time.Now().Before(h.next) {
		return nil
	}
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	default:
		return nil // another's turn
	}
	why := fmt.Sprintf("did not pass its health check for %s: %s", time.Since(since).Round(100*time.Millisecond), reason)
	s.say("%s; it is replaced", why)
	s.o.Log.Warn("instance unhealthy, replacing it", "process", s.name, "since", since, "reason", reason)
	next, err := s.launch(ctx)
	if err != nil {
		if ctx.Err() == nil {
			h.wait = min(max(2*h.wait, s.spec.RestartUnhealthy), healWaitMax)
			wait := time.Duration(float64(h.wait) * (0.75 + rand.Float64()/2))
			h.next = time.Now().Add(wait)
			s.say("has no successor (%s); tried again in %s", cause(err), wait.Round(100*time.Millisecond))
		}
		return nil
	}
	s.enter(next)
	s.set(func(st *Status) { st.Restarts++; st.LastExit = why })
	s.retireWithin(c, min(healDrain, s.o.DrainTimeout))
	s.set(func(st *Status) { st.State = Running })
	return next
}

// cause is why a start failed, in one line.
func cause(err error) string {
	var e *StartError
	if errors.As(err, &e) {
		return "it " + e.Cause
	}
	return err.Error()
}
