package http1

import (
	"time"

	"github.com/dayfly-dev/dayfly/internal/nonblock"
)

// WriteFile is Write of all of an answer's body, which is in f. It reports
// whether it can be sent from there; if not nothing is changed.
func (w *response) WriteFile(f *nonblock.File) (can bool, err error) {
	if w.c.secure != nil || w.isHead || w.sniff || w.sent || w.wrote > 0 || w.length != f.Size() || w.err != nil {
		return false, nil
	}
	if err := w.admit(int(f.Size())); err != nil {
		return true, err
	}
	now := time.Now()
	w.beginBody(now)
	w.c.limits.write(now)
	w.c.sending = &nonblock.Sending{Before: w.out, File: f}
	w.err = w.c.flush()
	w.c.sending = nil
	w.out = w.out[:0]
	return true, w.err
}
