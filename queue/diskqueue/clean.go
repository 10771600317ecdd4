package diskqueue

import (
	"slices"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

const (
	// spareSegments of dead records are tolerated before anything is copied.
	spareSegments = 8
	// maxVictims bounds one round of cleaning, in segments.
	maxVictims = 16
	// cleanStep is how many entries are looked at under one holding of the lock.
	cleanStep = 4096
	// copyBatch is the most bytes copied for one sync.
	copyBatch = 1 << 20
)

// A few messages that wait long keep whole segments from being recycled. When
// less than half of the log is live, the messages of the emptiest segments are
// copied to its end. Until the copy is on the disk a message stays where it
// was; a message that was deleted, moved or copied meanwhile is left alone.
// The work is bounded: as much must have been written as is read here.

// straggler is a message to be copied forward.
type straggler struct {
	uid  uint32
	seq  uint64
	old  seglog.Pos
	new  seglog.Pos // 0: not copied
	size uint32     // kept at both places, bytes
}

// clean copies messages out of nearly empty segments; upkeep is held.
func (e *Engine) clean() error {
	victims := e.victims()
	if len(victims) == 0 {
		return nil
	}
	e.mu.Lock()
	uids := make([]uint32, 0, len(e.byUID))
	for uid := range e.byUID {
		uids = append(uids, uid)
	}
	e.mu.Unlock()
	for _, uid := range uids {
		for next, more := uint64(0), true; more; {
			var found []straggler
			found, next, more = e.stragglers(uid, next, victims)
			if err := e.copyForward(found); err != nil {
				return err
			}
		}
	}
	return nil
}

// victims are the segments to empty, or none while enough of the log is live.
func (e *Engine) victims() map[uint32]bool {
	usage := e.log.Usage()
	var live, size int64
	for _, u := range usage {
		live, size = live+u.Live, size+u.Size
	}
	if size <= 2*live+e.o.spare*int64(e.o.SegmentSize) {
		return nil
	}
	usage = slices.DeleteFunc(usage, func(u seglog.Usage) bool {
		return u.Live == 0 || u.Live > u.Size/2 || u.ID >= e.last.from.Segment()
	})
	slices.SortFunc(usage, func(a, b seglog.Usage) int { return int(a.Live - b.Live) })
	victims := map[uint32]bool{}
	for _, u := range usage[:min(len(usage), maxVictims)] {
		victims[u.ID] = true
	}
	return victims
}

// stragglers finds messages of a queue in the segments, from a number on.
func (e *Engine) stragglers(uid uint32, from uint64, victims map[uint32]bool) (found []straggler, next uint64, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.byUID[uid]
	if q == nil {
		return nil, 0, false
	}
	n := 0
	q.messages.from(from, func(m *entry) bool {
		if n == cleanStep {
			more = true
			return false
		}
		if victims[m.pos.Segment()] {
			found = append(found, straggler{uid: uid, seq: m.seq(), old: m.pos})
		}
		next = m.seq() + 1
		n++
		return true
	})
	return found, next, more
}

func (e *Engine) copyForward(list []straggler) error {
	var buf []byte
	for len(list) > 0 {
		n, bytes := 0, 0
		for n < len(list) && bytes < copyBatch {
			size, err := e.copyOne(&list[n], &buf)
			if err != nil {
				e.settle(list[:n])
				return err
			}
			bytes += size
			n++
		}
		if err := e.log.Commit(e.log.End()); err != nil {
			return err
		}
		e.settle(list[:n])
		list = list[n:]
	}
	return nil
}

// copyOne appends a copy of the message's record, if the message is still there.
func (e *Engine) copyOne(s *straggler, buf *[]byte) (int, error) {
	e.mu.Lock()
	_, m := e.still(s)
	if m == nil {
		e.mu.Unlock()
		return 0, nil
	}
	s.size = m.size()
	pin, err := e.log.Pin(s.old)
	e.mu.Unlock()
	if err != nil {
		return 0, err
	}
	defer pin.Unpin()
	payload, b, err := pin.Read(s.old.Offset(), s.size, *buf)
	*buf = b
	if err != nil {
		return 0, err
	}
	if len(payload) < messageHead {
		return 0, errMalformed
	}
	if kind(payload[0]) == kindRedrive { // of the move nothing is to be said again
		if payload, _, _, err = cutRedrive(payload); err != nil {
			return 0, err
		}
	}
	if err := e.lockRoom(seglog.RecordSize(len(payload)), false); err != nil {
		return 0, err
	}
	defer e.mu.Unlock()
	if _, m = e.still(s); m == nil {
		return 0, nil
	}
	payload[0] = byte(kindCopy)
	stampQueue(payload, s.uid) // it may have been sent to another one
	s.new = e.log.Append(payload)
	e.log.Keep(s.new, s.size)
	return int(s.size), nil
}

// still returns the message if it is in the same queue at the same place.
func (e *Engine) still(s *straggler) (*state, *entry) {
	q := e.byUID[s.uid]
	if q == nil {
		return nil, nil
	}
	if m := q.messages.get(s.seq); m != nil && m.pos == s.old {
		return q, m
	}
	return nil, nil
}

// settle makes the copies, which are on the disk, the messages' places.
func (e *Engine) settle(list []straggler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range list {
		s := &list[i]
		if s.new == 0 {
			continue
		}
		if _, m := e.still(s); m != nil && s.new < e.log.Synced() {
			m.pos = s.new
			e.log.Drop(s.old, s.size)
		} else {
			e.log.Drop(s.new, s.size)
		}
	}
}
