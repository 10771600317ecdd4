package seglog

import "fmt"

// Room makes sure that records of n bytes in all (the sum of their RecordSize)
// can be appended: the disk's room for them is there already. urgent appends
// may use the reserve. The error is ErrNoSegment, or why the log refuses.
func (l *Log) Room(n uint32, urgent bool) error {
	if err := l.Err(); err != nil {
		return err
	}
	if n > l.MaxRecords() {
		return fmt.Errorf("%d bytes of records do not fit in a log segment of %d", n, l.o.SegmentSize)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.off+n+recordHead <= l.cur.size {
		return nil
	}
	keep := reserve
	if urgent {
		keep = 0
	}
	if len(l.ready) > keep {
		return nil
	}
	return ErrNoSegment
}

// MaxRecords is the most bytes of records one Room may ask for.
func (l *Log) MaxRecords() uint32 { return l.o.SegmentSize - headerSize - recordHead }

// Append appends one record, which Room has been made for, and returns its
// place.
func (l *Log) Append(payload []byte) Pos {
	n := RecordSize(len(payload))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off+n+recordHead > l.cur.size {
		l.rotate()
	}
	p := At(l.cur.id, l.off)
	l.put(n, payload)
	return p
}

// put appends a record, or the seal, to what is pending. The lock is held.
func (l *Log) put(n uint32, payload []byte) {
	c := l.tail()
	synced := uint32(headerSize)
	if s := l.Synced(); s.Segment() == l.cur.id {
		synced = s.Offset()
	}
	c.buf = appendRecord(c.buf, l.cur.seed, l.off, synced, payload)
	l.off += n
	l.appended.Add(int64(n))
}

// tail returns the chunk that the next record belongs to.
func (l *Log) tail() *chunk {
	if k := len(l.pending); k > 0 && l.pending[k-1].seg == l.cur {
		return &l.pending[k-1]
	}
	c := chunk{seg: l.cur, off: l.off}
	if k := len(l.buffers); k > 0 {
		c.buf, l.buffers = l.buffers[k-1][:0], l.buffers[:k-1]
	}
	l.pending = append(l.pending, c)
	return &l.pending[len(l.pending)-1]
}

// rotate seals the segment and goes on in the next. The lock is held.
func (l *Log) rotate() {
	l.put(recordHead, nil)
	l.cur, l.ready = l.ready[0], l.ready[1:]
	l.segments[l.cur.id] = l.cur
	l.off = headerSize
	l.wakePreparer()
	if l.o.Rotated != nil {
		l.o.Rotated()
	}
}

func (l *Log) wakePreparer() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}
