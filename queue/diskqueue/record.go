package diskqueue

import (
	"encoding/binary"
	"fmt"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

// kind of a record: its first byte. doc/formats/queue-log.md has the layouts.
type kind byte

const (
	kindOpen       kind = 1  // the store was opened
	kindCreate     kind = 2  // a queue was created
	kindDrop       kind = 3  // a queue was deleted
	kindAttributes kind = 4  // a queue's attributes were replaced
	kindTags       kind = 5  // a queue's tags were replaced
	kindPurge      kind = 6  // a queue was purged
	kindSend       kind = 7  // a message was sent
	kindReceive    kind = 8  // messages were received
	kindDelete     kind = 9  // messages were deleted, or had expired
	kindVisibility kind = 10 // the visibility of messages was changed
	kindMove       kind = 11 // a message was moved to another queue
	kindCopy       kind = 12 // a message was copied forward, and nothing else changed
	kindMoveTask   kind = 13 // a move task was started, went on or ended
	kindRedrive    kind = 14 // a message was stored anew, and taken from where it was: by a move task, or by Replace in its own queue
)

// stores reports whether a record of that kind has a message that is new.
func (k kind) stores() bool { return k == kindSend || k == kindRedrive }

// Every record states what is so after it, not by how much something changed,
// and one about a message or queue that is not there says nothing. So records
// may be applied to a memory that has seen some of them already, which is what
// a checkpoint made while the engine runs is.

func beginRecord(b []byte, k kind, uid uint32) []byte {
	return binary.AppendUvarint(append(b, byte(k)), uint64(uid))
}

// received is one message of a receive record.
type received struct {
	seq       uint64
	visibleAt int64
	token     uint64
	receives  uint32
	first     int64
	since     uint32 // Unix seconds; once in a record, after the messages
}

func putReceived(b []byte, r received) []byte {
	b = binary.AppendUvarint(b, r.seq)
	b = binary.AppendUvarint(b, uint64(r.visibleAt))
	b = binary.AppendUvarint(b, r.token)
	b = binary.AppendUvarint(b, uint64(r.receives))
	return binary.AppendUvarint(b, uint64(r.first))
}

// maxReceived and maxMoved are the most bytes putReceived and a move record take.
const (
	maxReceived = 5 * binary.MaxVarintLen64
	maxMoved    = 224 + 10*binary.MaxVarintLen64
	maxSmall    = 64 // a record's head and its own fields
)

// apply does what a record says, during replay.
func (e *Engine) apply(pos seglog.Pos, size uint32, payload []byte) error {
	d := &decoder{b: payload}
	k := kind(d.byte())
	switch k {
	case kindOpen:
		epoch := d.upTo(1<<24 - 1)
		d.milli()
		e.epoch = max(e.epoch, epoch)
	case kindSend, kindCopy:
		// The rest is the caller's message, under the record's checksum.
		if s := d.stamp(); d.err == nil {
			e.applyMessage(k, s, d, pos, size)
		}
		return d.err
	case kindRedrive:
		return e.applyRedrive(pos, size, payload)
	case kindCreate:
		e.applyCreate(d)
	case kindMove:
		e.applyMove(d)
	case kindDrop, kindAttributes, kindTags, kindPurge, kindReceive, kindDelete, kindVisibility, kindMoveTask:
		e.applyToQueue(k, d)
	default:
		return fmt.Errorf("%w: unknown kind %d", errMalformed, k)
	}
	return d.done()
}

func (e *Engine) applyCreate(d *decoder) {
	uid := uint32(d.upTo(1<<32 - 1))
	q := newState(uid, d.string(), &e.flights)
	q.created = d.milli()
	q.modified = q.created
	q.attrs = d.queueAttributes()
	q.tags = d.strings()
	if d.err != nil || e.byUID[uid] != nil {
		return
	}
	if e.queues[q.name] != nil {
		d.fail() // the other one was not deleted before
		return
	}
	e.addQueue(q)
}

func (e *Engine) addQueue(q *state) {
	e.queues[q.name], e.byUID[q.uid] = q, q
	e.nextUID = max(e.nextUID, q.uid+1)
}

// applyToQueue applies records that concern one queue. What they say is read
// whole even if the queue is gone, so that malformed ones are found.
func (e *Engine) applyToQueue(k kind, d *decoder) {
	q := e.byUID[uint32(d.upTo(1<<32-1))]
	if q == nil {
		q = newState(0, "", &e.flights) // was deleted later: applied to nothing
	}
	switch k {
	case kindDrop:
		at := int64(0)
		if e.format != 1 { // which has no time here
			at = d.milli()
		}
		if d.err == nil {
			e.dropQueue(q, at)
		}
	case kindAttributes:
		q.modified = d.milli()
		if a := d.queueAttributes(); d.err == nil {
			e.setAttributes(q, a)
		}
	case kindTags:
		q.tags = d.strings()
	case kindPurge:
		if q.purged = d.milli(); d.err == nil {
			e.empty(q)
		}
	case kindReceive:
		e.applyReceive(q, d)
	case kindMoveTask:
		e.applyMoveTask(q, d)
	default:
		for n := d.upTo(maxDecodedCount); n > 0 && d.err == nil; n-- {
			e.applyOne(k, q, d)
		}
	}
}

func (e *Engine) applyReceive(q *state, d *decoder) {
	var list []received
	for n := d.upTo(maxDecodedCount); n > 0 && d.err == nil; n-- {
		list = append(list, received{seq: d.upTo(maxSeq), visibleAt: d.milli(), token: d.uint(),
			receives: uint32(d.upTo(1<<32 - 1)), first: d.milli()})
	}
	var since uint32
	if e.format != 1 { // which has no time here
		since = uint32(d.upTo(1<<32 - 1))
	}
	for _, r := range list {
		if m := q.messages.get(r.seq); m != nil && d.err == nil {
			r.since = since
			e.receive(q, m, r)
			e.token = max(e.token, r.token)
		}
	}
}

func (e *Engine) applyOne(k kind, q *state, d *decoder) {
	seq := d.upTo(maxSeq)
	m := q.messages.get(seq)
	switch k {
	case kindDelete:
		if m != nil && d.err == nil {
			e.remove(q, seq)
		}
	case kindVisibility:
		at := d.milli()
		if m != nil && m.flight != 0 && e.flights.get(m.flight).token != 0 && d.err == nil {
			e.setVisible(q, m, at)
		}
	}
}

// applyMessage enters a message sent, or the new place of one copied forward.
func (e *Engine) applyMessage(k kind, s stamp, d *decoder, pos seglog.Pos, size uint32) {
	e.nextSeq = max(e.nextSeq, s.seq+1)
	q := e.byUID[s.uid]
	if q == nil {
		if k == kindCopy { // of an import that did not come to its end
			e.nextUID = max(e.nextUID, s.uid+1)
		}
		return
	}
	m := q.messages.get(s.seq)
	if k == kindCopy {
		if m != nil {
			e.relocate(m, pos)
		}
		return
	}
	group, dedupID := d.bytes(d.upTo(maxDecodedString)), d.bytes(d.upTo(maxDecodedString))
	if q.fifo && len(group) == 0 {
		d.fail()
	}
	if d.err != nil {
		return
	}
	if q.fifo && s.sent+dedupFor > now() {
		q.dedup.put(dedupKey(q, string(group), string(dedupID)), s.seq, s.sent)
	}
	if m == nil {
		e.enter(q, newEntry(s.seq, pos, size, s.sent), s.sent, s.visibleAt, string(group))
	}
}

func (e *Engine) applyRedrive(pos seglog.Pos, size uint32, payload []byte) error {
	payload, from, seq, err := cutRedrive(payload)
	if err != nil {
		return err
	}
	d := &decoder{b: payload[1:]}
	if s := d.stamp(); d.err == nil {
		e.applyMessage(kindSend, s, d, pos, size)
	}
	if q := e.byUID[from]; q != nil && d.err == nil {
		e.remove(q, seq)
	}
	return d.err
}

// relocate gives an entry another place in the log.
func (e *Engine) relocate(m *entry, pos seglog.Pos) {
	old := *m
	m.pos = pos
	e.keep(m)
	e.drop(&old)
}

// keep and drop account for the bytes an entry keeps from being recycled.
func (e *Engine) keep(m *entry) {
	if e.live != nil {
		e.live[m.pos.Segment()] += int64(m.size())
		return
	}
	e.log.Keep(m.pos, m.size())
}

func (e *Engine) drop(m *entry) {
	if e.live != nil {
		e.live[m.pos.Segment()] -= int64(m.size())
		return
	}
	e.log.Drop(m.pos, m.size())
}

// enter puts a new message into a queue, delayed if it becomes visible later.
func (e *Engine) enter(q *state, m entry, sentMilli, visibleAt int64, group string) {
	e.keep(&m)
	if visibleAt != 0 || group != "" {
		i, f := e.flights.alloc(m.seq())
		m.flight = i
		f.group = q.groups.join(group, &e.flights)
		if visibleAt != 0 {
			f.since = uint32(sentMilli % 1000)
			q.hide(i, f, delayed, visibleAt)
		} else {
			q.show(i, f, waiting)
		}
	}
	q.messages.add(m)
}

// receive puts a message in flight.
func (e *Engine) receive(q *state, m *entry, r received) {
	if m.flight == 0 {
		m.flight, _ = e.flights.alloc(r.seq)
	} else {
		q.leave(m.flight, e.flights.get(m.flight))
	}
	f := e.flights.get(m.flight)
	f.token, f.receives, f.first, f.since, f.given = r.token, r.receives, r.first, r.since, false
	q.hide(m.flight, f, inFlight, r.visibleAt)
}

// setVisible changes when a message that was received is visible.
func (e *Engine) setVisible(q *state, m *entry, at int64) {
	f := e.flights.get(m.flight)
	q.leave(m.flight, f)
	f.given = false
	q.hide(m.flight, f, inFlight, at)
}

// remove takes a message out of a queue for good.
func (e *Engine) remove(q *state, seq uint64) {
	m, ok := q.messages.remove(seq)
	if !ok {
		return
	}
	e.drop(&m)
	if m.flight != 0 {
		f := e.flights.get(m.flight)
		q.leave(m.flight, f)
		if f.group != 0 {
			q.groups.part(f.group)
		}
		e.flights.release(m.flight)
	}
}

// empty takes all messages out of a queue. They may be millions: the memory is
// given back later, a part at a time.
func (e *Engine) empty(q *state) {
	e.dying = append(e.dying, q.messages)
	q.messages, q.cursor = entries{}, 0
	q.hidden.h, q.due.head, q.due.tail = nil, 0, 0
	q.delayed, q.inFlight = 0, 0
	q.groups, q.attempts, q.dedup = groups{}, attempts{}, dedup{}
	if e.live != nil {
		e.bury(1 << 62)
	}
}

func (e *Engine) dropQueue(q *state, at int64) {
	e.empty(q)
	if e.byUID[q.uid] == q {
		delete(e.byUID, q.uid)
		delete(e.queues, q.name)
		e.dropped[q.name] = at
		e.dropMoves(q.uid)
	}
	q.wakeUp(len(q.waiters))
}

// bury gives back up to n messages of emptied queues; false when none are left.
func (e *Engine) bury(n int) bool {
	for len(e.dying) > 0 {
		l := &e.dying[len(e.dying)-1]
		for len(l.runs) > 0 {
			if n <= 0 {
				return true
			}
			r := l.runs[len(l.runs)-1]
			for i := range r.entries() {
				m := &r.entries()[i]
				e.drop(m)
				if m.flight != 0 {
					e.flights.release(m.flight)
				}
			}
			n -= r.len()
			l.runs = l.runs[:len(l.runs)-1]
		}
		e.dying = e.dying[:len(e.dying)-1]
	}
	return false
}

// putMove appends the record of a message moved to another queue, and all that is known of it: its
// place in memory may be lost to a checkpoint made around the move.
func putMove(b []byte, from, to uint32, m *entry, f *flight, source, group string) []byte {
	b = beginRecord(b, kindMove, from)
	for _, v := range []uint64{
		uint64(to), m.key, uint64(m.pos), uint64(m.sent), uint64(f.receives), uint64(f.first),
	} {
		b = binary.AppendUvarint(b, v)
	}
	return putString(putString(b, source), group)
}

func (e *Engine) applyMove(d *decoder) {
	from := e.byUID[uint32(d.upTo(1<<32-1))]
	to := e.byUID[uint32(d.upTo(1<<32-1))]
	m := entry{key: d.uint(), pos: seglog.Pos(d.uint()), sent: uint32(d.upTo(1<<32 - 1))}
	receives, first := uint32(d.upTo(1<<32-1)), d.milli()
	source, group := d.string(), ""
	if e.format != 1 { // which has no group here
		group = d.string()
	}
	if to != nil && to.fifo && group == "" {
		d.fail()
	}
	if d.err != nil {
		return
	}
	if from != nil {
		if old := from.messages.get(m.seq()); old != nil {
			m.pos = old.pos // may have been copied forward since
		}
	}
	if to != nil {
		e.moveIn(to, m, receives, first, source, group)
	}
	if from != nil {
		e.remove(from, m.seq())
	}
}

// moveIn enters a moved message: due at once, its count in the new queue zero.
// It is still in its old queue too, so that its bytes are kept throughout.
func (e *Engine) moveIn(to *state, m entry, receives uint32, first int64, source, group string) {
	if old := to.messages.get(m.seq()); old != nil {
		m.pos = old.pos
		e.remove(to, m.seq())
	}
	e.keep(&m)
	i, f := e.flights.alloc(m.seq())
	m.flight = i
	f.receives, f.before, f.first, f.source = receives, receives, first, e.sources.intern(source)
	f.token = e.token + 1 // receipts from before are older than that
	f.group = to.groups.join(group, &e.flights)
	to.messages.add(m)
	to.show(i, f, due)
}
