package diskqueue

import (
	"context"
	"strings"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Replace implements driver.Replacer. The record is that of a move task, within
// one queue: it has the new message and takes the old one away, so that a crash
// leaves one of them.
func (e *Engine) Replace(_ context.Context, name string, old driver.Browsed, m driver.Outgoing) (driver.Sent, error) {
	const op = "replace a message in"
	if strings.HasSuffix(name, ".fifo") {
		return driver.Sent{}, opError(op, name, driver.ErrUnsupported)
	}
	m.Delay = 0
	out := []driver.Outgoing{m}
	s := scratches.Get().(*scratch)
	defer s.release()
	s.b = asRedrive(putMessage(s.b, &m))
	s.ends = append(s.ends, len(s.b))
	if err := e.lockRoom(seglog.RecordSize(len(s.b)), false); err != nil {
		return driver.Sent{}, opError(op, name, err)
	}
	q, err := e.find(name)
	if err == nil {
		err = fits(q, out)
	}
	var seq uint64
	if err == nil {
		seq, err = e.waits(q, &old)
	}
	if err != nil {
		e.mu.Unlock()
		return driver.Sent{}, opError(op, name, err)
	}
	sent := make([]driver.Sent, 1)
	stampRedrive(s.b, q.uid, seq)
	end := e.send(q, out, s, sent, true)
	e.remove(q, seq)
	e.mu.Unlock()
	if err := e.commit(end); err != nil {
		return driver.Sent{}, opError(op, name, err)
	}
	e.mu.Lock()
	q.wakeUp(1)
	e.mu.Unlock()
	return sent[0], nil
}

// waits returns the number of a message that waits for its time and is as it was
// browsed; mu is held. Its count of receives says that nobody had it since.
func (e *Engine) waits(q *state, old *driver.Browsed) (uint64, error) {
	at := now()
	q.promote(at)
	seq, sent, ok := e.parseID(old.ID)
	if !ok {
		return 0, driver.ErrMessageNotFound
	}
	m := q.messages.get(seq)
	if m == nil || int64(m.sent) != sent/1000 || q.expired(m, at) {
		return 0, driver.ErrMessageNotFound
	}
	if m.flight == 0 {
		return 0, driver.ErrNotWaiting
	}
	f := e.flights.get(m.flight)
	if f.state != delayed && !(f.state == inFlight && f.given) || int(f.receives) != old.Receives {
		return 0, driver.ErrNotWaiting
	}
	return seq, nil
}
