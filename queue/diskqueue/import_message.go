package diskqueue

import (
	"errors"
	"math"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

var errNoSpace = error(syscall.ENOSPC)

// errTime: a time of sending that an entry has no room for.
var errTime = errors.New("it was sent after February 2106, which is the last time a store knows")

// message imports one. Its record is of the kind of copies, which says nothing
// of messages that are not there: until the checkpoint knows the message, a
// start passes over it.
func (m *importer) message(a *archive.Message) error {
	x := m.queues[a.Queue]
	switch {
	case x == nil:
		return nil
	case a.Doubtful && m.o.Certain:
		m.report.LeftOut++
		return nil
	}
	e, q, sent := m.e, x.q, milliOr(a.Sent, now())
	if sent/1000 > math.MaxUint32 {
		return errTime
	}
	if !m.begun {
		m.begun = true
		e.takeOverTag(a.ID)
	}
	seq, kept := e.keepID(a.ID, sent, x.last)
	if seq != 0 && !kept {
		m.report.Present++
		return nil
	}
	out := a.Outgoing()
	if q.fifo && out.DedupID == "" {
		out.DedupID = contentID(out.Body)
	}
	m.buf = putMessage(m.buf[:0], &out)
	m.buf[0] = byte(kindCopy)
	size := seglog.RecordSize(len(m.buf))
	if err := m.room(size); err != nil {
		return err
	}
	defer e.mu.Unlock()
	if !kept {
		seq = e.nextSeq
		m.report.NewIDs++
	}
	e.nextSeq = max(e.nextSeq, seq+1)
	var visibleAt int64
	if a.State == driver.StateDelayed {
		visibleAt = milli(a.VisibleAt)
	}
	stampMessage(m.buf, q.uid, seq, sent, visibleAt)
	e.enterAgain(q, newEntry(seq, e.log.Append(m.buf), size, sent), sent, a, out.DedupID)
	x.last = seq
	x.Messages++
	if a.Doubtful {
		m.report.Doubtful++
	}
	return nil
}

// room takes the engine's lock with room for a record, and writes now and then
// what was appended.
func (m *importer) room(size uint32) error {
	if m.pending += int(size); m.pending >= importFlush {
		m.pending = 0
		if err := m.e.log.Flush(m.e.log.End()); err != nil {
			return err
		}
	}
	return m.e.lockRoom(size, false)
}

// takeOverTag makes the ids of another store this one's, while it has no
// messages of its own.
func (e *Engine) takeOverTag(id string) {
	for _, q := range e.queues {
		if q.messages.n > 0 || len(q.dedup.generations) > 0 {
			return
		}
	}
	if _, _, tag, ok := splitID(id); ok {
		e.secret.setTag(tag)
		e.tag = tag
	}
}

// maxKeptSeq leaves numbers for all messages to come.
const maxKeptSeq = maxSeq / 2

// keepID returns the number of a message by its id, and whether it can have that.
// It cannot if the id is of another store (0), if the message is in the store
// (its number), or if it has to stand behind one with a greater number (0).
func (e *Engine) keepID(id string, sent int64, last uint64) (seq uint64, ok bool) {
	seq, at, ok := e.parseID(id)
	if !ok || at != sent || seq == 0 || seq > maxKeptSeq {
		return 0, false
	}
	for _, q := range e.queues {
		if old := q.messages.get(seq); old == nil {
			continue
		} else if int64(old.sent) == sent/1000 || q.fifo && e.moved(old) {
			return seq, false
		}
		return 0, false
	}
	if seq <= last {
		return 0, false
	}
	return seq, true
}

// enterAgain enters a message with all that is known of it; mu is held.
func (e *Engine) enterAgain(q *state, n entry, sent int64, a *archive.Message, dedupID string) {
	q.cursor = min(q.cursor, n.seq())
	if q.fifo && a.Source == "" && sent+dedupFor > now() {
		key := dedupKey(q, a.GroupID, dedupID)
		if _, ok := q.dedup.find(key, now()); !ok {
			q.dedup.put(key, n.seq(), sent)
		}
	}
	if a.Receives == 0 && a.Source == "" && a.State != driver.StateInFlight {
		var visibleAt int64
		if a.State == driver.StateDelayed {
			visibleAt = milli(a.VisibleAt)
		}
		e.enter(q, n, sent, visibleAt, a.GroupID)
		return
	}
	if q.fifo && a.Source != "" { // where retention counts from the move, which is not known
		n.sent = uint32(now() / 1000)
	}
	e.keep(&n)
	i, f := e.flights.alloc(n.seq())
	n.flight = i
	f.token = e.token + 1 // receipts from before are older than that
	f.receives, f.before, f.source = uint32(a.Receives), uint32(a.ReceivesBefore), e.sources.intern(a.Source)
	if !a.FirstReceived.IsZero() {
		f.first = milli(a.FirstReceived)
		f.since = uint32(min(f.first/1000, math.MaxUint32))
	}
	f.group = q.groups.join(a.GroupID, &e.flights)
	q.messages.add(n)
	switch a.State {
	case driver.StateInFlight:
		q.hide(i, f, inFlight, milli(a.VisibleAt))
	case driver.StateDelayed:
		q.hide(i, f, delayed, milli(a.VisibleAt))
	default:
		q.show(i, f, due)
	}
}

func milliOr(t time.Time, otherwise int64) int64 {
	if t.IsZero() {
		return otherwise
	}
	return milli(t)
}
