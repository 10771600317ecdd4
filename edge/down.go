package edge

import "time"

// Down says since when a target has not passed its checks, and why. The time is
// zero where it passes them, was not checked yet, or is not there.
func (e *Edge) Down(name string) (since time.Time, reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.find(name)
	if t == nil || t.up || t.down.IsZero() {
		return time.Time{}, ""
	}
	return t.down, t.reason
}
