package diskqueue

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// shown is a message to be browsed, before its record is read.
type shown struct {
	pin  seglog.Pinned
	m    entry
	f    flight
	from string
}

// Browse implements driver.Browser. A message that cannot be read is an error
// naming where it is.
func (e *Engine) Browse(_ context.Context, name, after string, max int) ([]driver.Browsed, error) {
	list, err := e.show(name, after, max)
	fifo := strings.HasSuffix(name, ".fifo")
	if err != nil {
		return nil, opError("browse", name, err)
	}
	buf := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(buf)
	out := make([]driver.Browsed, 0, len(list))
	for i := range list {
		s := &list[i]
		m, rerr := e.readMessage(s.pin, s.m.pos, s.m.size(), s.m.seq(), buf)
		s.pin.Unpin()
		if rerr != nil {
			if err == nil {
				err = logError(rerr)
			}
			continue
		}
		m.Receives, m.FirstReceived, m.Source = int(s.f.receives), fromMilli(s.f.first), s.from
		if fifo {
			asFIFO(&m, s.m.seq())
		}
		b := driver.Browsed{Message: m, State: driver.StateVisible}
		switch s.f.state {
		case delayed:
			b.State, b.VisibleAt, b.Waits = driver.StateDelayed, fromMilli(s.f.visibleAt), !fifo
		case inFlight:
			b.State, b.VisibleAt, b.Waits = driver.StateInFlight, fromMilli(s.f.visibleAt), s.f.given && !fifo
		}
		out = append(out, b)
	}
	return out, opError("browse", name, err)
}

// show picks and pins the messages; those not on the disk yet are left out.
func (e *Engine) show(name, after string, max int) (list []shown, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, err := e.find(name)
	if err != nil {
		return nil, err
	}
	var from uint64
	if seq, _, ok := e.parseID(after); ok {
		from = seq + 1
	}
	q.promote(now())
	synced := e.log.Synced()
	q.messages.from(from, func(m *entry) bool {
		if len(list) == max || m.pos >= synced {
			return false
		}
		s := shown{m: *m}
		if m.flight != 0 {
			s.f = *e.flights.get(m.flight)
			s.from = e.sources.name(s.f.source)
		}
		if s.pin, err = e.log.Pin(m.pos); err != nil {
			return false
		}
		list = append(list, s)
		return true
	})
	if err != nil {
		for _, s := range list {
			s.pin.Unpin()
		}
	}
	return list, err
}

// DeleteID implements driver.Browser.
func (e *Engine) DeleteID(_ context.Context, name, id string) (bool, error) {
	if err := e.lockRoom(seglog.RecordSize(maxSmall+binary.MaxVarintLen64), true); err != nil {
		return false, opError("delete from", name, err)
	}
	q, err := e.find(name)
	if err != nil {
		e.mu.Unlock()
		return false, opError("delete from", name, err)
	}
	found := false
	if seq, sent, ok := e.parseID(id); ok {
		if m := q.messages.get(seq); m != nil && (int64(m.sent) == sent/1000 || q.fifo && e.moved(m)) {
			e.remove(q, seq)
			e.log.Append(deleteRecord(q.uid, []uint64{seq}))
			found = true
		}
	}
	end := e.log.End()
	e.mu.Unlock()
	return found, opError("delete from", name, e.commit(end))
}

// moved reports whether a message is a dead letter. The time of those in FIFO
// queues is that of their move.
func (e *Engine) moved(m *entry) bool { return m.flight != 0 && e.flights.get(m.flight).source != 0 }
