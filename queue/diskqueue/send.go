package diskqueue

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// scratch is memory for records on their way into the log.
type scratch struct {
	b    []byte
	ends []int
}

// scratchLimit is the largest scratch kept for the next caller, bytes.
const scratchLimit = 256 << 10

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) release() {
	if cap(s.b) <= scratchLimit {
		s.b, s.ends = s.b[:0], s.ends[:0]
		scratches.Put(s)
	}
}

// record returns the i-th record.
func (s *scratch) record(i int) []byte {
	start := 0
	if i > 0 {
		start = s.ends[i-1]
	}
	return s.b[start:s.ends[i]]
}

// Send implements driver.Service.
func (e *Engine) Send(_ context.Context, name string, out []driver.Outgoing) ([]driver.Sent, error) {
	// Everything that does not depend on state is made before the lock is taken.
	byContent := false
	if strings.HasSuffix(name, ".fifo") {
		out, byContent = withContentIDs(out)
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	var room uint32
	for i := range out {
		before := len(s.b)
		s.b = putMessage(s.b, &out[i])
		s.ends = append(s.ends, len(s.b))
		room += seglog.RecordSize(len(s.b) - before)
	}
	if err := e.lockRoom(room, false); err != nil {
		return nil, opError("send to", name, err)
	}
	q, err := e.find(name)
	if err == nil {
		err = fits(q, out)
	}
	if err == nil && byContent && !q.attrs.ContentDedup {
		err = driver.ErrNoDedupID
	}
	if err != nil {
		e.mu.Unlock()
		return nil, opError("send to", name, err)
	}
	sent := make([]driver.Sent, len(out))
	end := e.send(q, out, s, sent, false)
	e.mu.Unlock()
	if err := e.commit(end); err != nil {
		return nil, opError("send to", name, err)
	}
	if q.waiting.Load() > 0 {
		e.mu.Lock()
		q.wakeUp(len(out))
		e.mu.Unlock()
		runtime.Gosched() // to whom it wakes, who has waited longer than the caller
	}
	return sent, nil
}

func fits(q *state, out []driver.Outgoing) error {
	for i := range out {
		if n := out[i].Size(); n > q.attrs.MaxMessageSize {
			return fmt.Errorf("%w: %d bytes, at most %d", driver.ErrTooLarge, n, q.attrs.MaxMessageSize)
		}
	}
	return nil
}

// send appends the records and enters the messages; mu is held. They are handed
// out once the log is on the disk past them. A message that a FIFO queue took
// in the last five minutes is not taken again, unless it must be anew.
func (e *Engine) send(q *state, out []driver.Outgoing, s *scratch, sent []driver.Sent, anew bool) seglog.Pos {
	at := now()
	for i := range out {
		var key dupKey
		if q.fifo {
			key = dedupKey(q, out[i].GroupID, out[i].DedupID)
			if first, ok := q.dedup.find(key, at); ok && !anew {
				sent[i] = driver.Sent{ID: e.id(first.seq, first.sent), Sequence: sequence(first.seq)}
				continue
			}
		}
		delay := out[i].Delay
		if delay < 0 || q.fifo {
			delay = q.attrs.Delay
		}
		var visibleAt int64
		if delay > 0 {
			visibleAt = later(delay)
		}
		if delay > 0 && q.fifo {
			visibleAt = visibleAfter(at, delay) // as setAttributes will count it
		}
		seq := e.nextSeq
		e.nextSeq++
		b := s.record(i)
		stampMessage(b, q.uid, seq, at, visibleAt)
		pos := e.log.Append(b)
		m := newEntry(seq, pos, seglog.RecordSize(len(b)), at)
		if q.fifo {
			q.dedup.put(key, seq, at)
			sent[i].Sequence = sequence(seq)
		}
		e.enter(q, m, at, visibleAt, out[i].GroupID)
		sent[i].ID = e.id(seq, at)
	}
	return e.log.End()
}
