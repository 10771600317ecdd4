package task

import (
	"context"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/task/limit"
)

// keepSlot is how long a task waits for its limits in the slot that it is to run
// in. After that the slot is others' until it is let in.
const keepSlot = 5 * time.Millisecond

// slot is what a delivery knows of the slot it holds. A nil *slot is one that is
// not lent.
type slot struct {
	mu   sync.Mutex
	away bool // it is others'
}

// held reports whether there is a slot to be freed.
func (s *slot) held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.away
}

// lend gives the slot to others after a while, if there is room aside. back ends
// that; if the task is to run it waits a little for a slot, and is false when
// none was had.
func (s *slot) lend(l *limits) (back func(ctx context.Context, runs bool) bool) {
	if s == nil {
		return func(context.Context, bool) bool { return true }
	}
	over := false
	timer := time.AfterFunc(keepSlot, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if over {
			return
		}
		select {
		case l.aside <- struct{}{}:
			s.away = true
			l.claims.release(1)
		default: // too many do already: it waits where it is, and others with it
		}
	})
	return func(ctx context.Context, runs bool) bool {
		timer.Stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		over = true
		if !s.away {
			return true
		}
		<-l.aside
		if !runs {
			return true
		}
		ctx, cancel := context.WithTimeout(ctx, limit.Ahead)
		defer cancel()
		s.away = !l.claims.acquire(ctx)
		return !s.away
	}
}
