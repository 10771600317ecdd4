package push

import "time"

// Status is how the endpoint is doing.
type Status struct {
	// Down: it was not reached, or failed five times in a row. Tasks wait, and
	// one at a time goes to see.
	Down bool
	// Since when it is down; zero when it is not, as are the other two.
	Since time.Time
	// Next is when the next one goes at the earliest; in the past while it is
	// under way, or while no task waits.
	Next time.Time
	// Error is what the latest look ran into.
	Error string
}

// Status may be called at any time, also before Run and after it.
func (p *Pusher) Status() Status {
	g := &p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.level == 0 {
		return Status{}
	}
	s := Status{Down: true, Since: g.since, Next: g.next}
	if g.why != nil {
		s.Error = g.why.Error()
	}
	return s
}
