package http1

import (
	"errors"
	"slices"
	"syscall"
	"time"
)

const (
	// Of the descriptors that the process may have, so many eighths are for
	// clients' connections; the rest is for what answers them.
	forClients = 7
	// When there are too many connections, one in so many is closed.
	shedOne = 64
	// The log speaks of it this often.
	shedSaid = time.Minute
)

// mostConns is how many connections are kept open by a process that may have so
// many descriptors.
func mostConns() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || l.Cur > 1<<30 {
		return 1 << 30
	}
	return max(1, int(l.Cur)/8*forClients)
}

func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// shed closes connections that wait for a request, those first that have waited
// about longest: their clients connect again when they have one, as they would
// after the idle timeout. It returns how many.
func (s *Server) shed(why string) (closed int) {
	type waiting struct {
		c     *conn
		until time.Time
	}
	all := s.open()
	var idle []waiting
	for _, c := range all {
		if until := c.limits.until(); c.waits() && !until.IsZero() { // a handshake has no such limit
			idle = append(idle, waiting{c, until})
		}
	}
	slices.SortFunc(idle, func(a, b waiting) int { return a.until.Compare(b.until) })
	for _, w := range idle[:min(len(idle), max(1, len(all)/shedOne))] {
		w.c.closeIdle()
		closed++
	}
	if now, said := time.Now().Unix(), s.shedAt.Load(); now-said > int64(shedSaid/time.Second) && s.shedAt.CompareAndSwap(said, now) {
		s.Log.Warn("too many connections for the descriptors that this process may have (ulimit -n); those that wait longest for a request are closed first",
			"why", why, "open", len(all), "waiting", len(idle), "most", s.most)
	}
	return closed
}

// waits reports whether the connection waits for a request.
func (c *conn) waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle
}

// until is when a wait for a request ends.
func (l *deadlines) until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.readBy
}
