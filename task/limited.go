package task

import (
	"context"
	"errors"
)

// admitted waits until the limits let the task of a message in; else it is seen
// to, and false.
func (s *shift) admitted(ctx context.Context, d *delivery) (leave func(), ok bool) {
	held := &d.slot
	if d.line != nil {
		held = nil
	}
	leave, err := s.limits.admit(ctx, s.stopped, d.event, held)
	switch {
	case err == nil:
		return leave, true
	case errors.Is(err, errStopped):
		s.setAside(d, func() Outcome { return s.uncounted(d, 0, Returned) })
	default:
		s.conclude(d, err)
	}
	return leave, false
}

// freeSlot gives the slot of a delivery to others, unless they have it already.
func (s *shift) freeSlot(d *delivery) {
	if d.slot.held() {
		s.claims.release(1)
	}
}
