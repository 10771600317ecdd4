package diskqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

// loadCheckpoint fills the engine's memory from the file.
func (e *Engine) loadCheckpoint() error {
	f, err := e.fsys.Open(checkpointName)
	if errors.Is(err, fs.ErrNotExist) {
		return &seglog.CorruptError{File: checkpointName, Reason: "file is missing"}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	r := &checkpointReader{e: e, r: io.NewSectionReader(f, 0, size), size: size, now: now()}
	if err := r.run(); err != nil {
		if errors.Is(err, errMalformed) {
			return &seglog.CorruptError{File: checkpointName, Offset: r.at, Reason: r.reason}
		}
		return err
	}
	e.last = checkpointInfo{from: r.from, size: size}
	return nil
}

type checkpointReader struct {
	e      *Engine
	r      io.Reader
	size   int64
	at     int64 // offset of the block being read
	off    int64 // of the next
	block  uint32
	buf    []byte
	from   seglog.Pos
	count  uint64
	headed bool
	first  bool  // of format 1
	now    int64 // Unix milliseconds
	reason string
}

func (r *checkpointReader) bad(reason string) error {
	r.reason = reason
	return errMalformed
}

func (r *checkpointReader) read(n int64) ([]byte, error) {
	if n > r.size-r.off {
		return nil, r.bad("file ends early")
	}
	if int64(cap(r.buf)) < n {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, fmt.Errorf("read %s: %w", checkpointName, err)
	}
	r.off += n
	return b, nil
}

func (r *checkpointReader) run() error {
	b, err := r.read(int64(len(checkpointMagic)))
	if err != nil {
		return err
	}
	r.first = string(b) == checkpointFirst
	if !r.first && string(b) != checkpointMagic {
		return r.bad("not a checkpoint")
	}
	for {
		r.at = r.off
		b, err := r.next()
		if err != nil {
			return err
		}
		k, err := r.apply(b)
		if err != nil || k == blockEnd {
			return err
		}
	}
}

// apply enters a block into the engine's memory and returns its kind.
func (r *checkpointReader) apply(b []byte) (kind byte, err error) {
	d := &decoder{b: b}
	kind = d.byte()
	if r.headed != (kind != blockHead) {
		return kind, r.bad("block out of place")
	}
	switch kind {
	case blockHead:
		r.head(d)
	case blockQueue:
		r.queue(d)
	case blockMessages:
		r.messages(d)
	case blockDedup:
		r.dedup(d)
	case blockDropped:
		name := d.string()
		r.e.dropped[name] = d.milli()
	case blockMoveTask:
		r.e.loadMoveTask(d)
	case blockEnd:
		if d.uint() != r.count || r.off != r.size {
			d.fail()
		}
	default:
		d.fail()
	}
	if d.done() != nil {
		return kind, r.bad("block is malformed")
	}
	return kind, nil
}

// next returns the next block, valid until the one after.
func (r *checkpointReader) next() ([]byte, error) {
	b, err := r.read(8)
	if err != nil {
		return nil, err
	}
	n, sum := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if n == 0 || n > maxBlock {
		return nil, r.bad("block has an impossible length")
	}
	if b, err = r.read(int64(n)); err != nil {
		return nil, err
	}
	if blockSum(r.block, b) != sum {
		return nil, r.bad("block has a wrong checksum")
	}
	r.block++
	return b, nil
}

func (r *checkpointReader) head(d *decoder) {
	e := r.e
	copy(e.secret[:], d.bytes(uint64(len(e.secret))))
	r.from = seglog.Pos(d.uint())
	e.epoch = d.upTo(1<<24 - 1)
	e.nextSeq = d.upTo(maxSeq)
	e.nextUID = uint32(d.upTo(1<<32 - 1))
	e.token = d.uint()
	r.headed = true
}

func (r *checkpointReader) queue(d *decoder) {
	uid := uint32(d.upTo(1<<32 - 1))
	q := newState(uid, d.string(), &r.e.flights)
	q.created, q.modified, q.purged = d.milli(), d.milli(), d.milli()
	q.attrs = d.queueAttributes()
	q.tags = d.strings()
	if r.e.byUID[uid] != nil || r.e.queues[q.name] != nil {
		d.fail()
	}
	if d.err == nil {
		r.e.addQueue(q)
	}
}

func (r *checkpointReader) messages(d *decoder) {
	q := r.e.byUID[uint32(d.upTo(1<<32-1))]
	n := d.upTo(checkpointBlock)
	if q == nil {
		d.fail()
	}
	var last entry
	for ; n > 0 && d.err == nil; n-- {
		seq := last.seq() + d.upTo(maxSeq)
		size := d.upTo(1<<16 - 1)
		m := entry{
			key:  seq<<16 | size,
			pos:  seglog.Pos(int64(last.pos) + d.int()),
			sent: uint32(int64(last.sent) + d.int()),
		}
		if seq > maxSeq || seq == last.seq() || d.err == nil && q.messages.get(seq) != nil {
			d.fail()
			return
		}
		last = m
		r.loadEntry(q, m, d)
		r.count++
	}
}

// dedup reads deduplication ids.
func (r *checkpointReader) dedup(d *decoder) {
	q := r.e.byUID[uint32(d.upTo(1<<32-1))]
	n := d.upTo(checkpointBlock)
	if q == nil {
		d.fail()
	}
	for ; n > 0 && d.err == nil; n-- {
		var k dupKey
		copy(k[:], d.bytes(uint64(len(k))))
		if seq, sent := d.upTo(maxSeq), d.milli(); d.err == nil && sent+dedupFor > r.now {
			q.dedup.put(k, seq, sent)
		}
	}
}

// loadEntry enters a message with the flight that follows it, if any.
func (r *checkpointReader) loadEntry(q *state, m entry, d *decoder) {
	e := r.e
	s := flightState(d.byte())
	group := ""
	if s != 0 && !r.first {
		group = d.string()
	}
	if s > waiting || group == "" && (s == waiting || q.fifo) {
		d.fail()
	}
	if d.err != nil {
		return
	}
	if s == 0 || s == waiting {
		e.enter(q, m, 0, 0, group)
		e.nextSeq = max(e.nextSeq, m.seq()+1)
		return
	}
	f := flight{visibleAt: d.milli(), token: d.uint(), first: d.milli(),
		receives: uint32(d.upTo(1<<32 - 1)), before: uint32(d.upTo(1<<32 - 1))}
	if !r.first {
		f.since = uint32(d.upTo(1<<32 - 1))
	}
	source := d.string()
	if d.err != nil {
		return
	}
	f.group = q.groups.join(group, &e.flights)
	f.source = e.sources.intern(source)
	f.seq = m.seq()
	var to *flight
	m.flight, to = e.flights.alloc(m.seq())
	*to = f
	e.keep(&m)
	q.messages.add(m)
	if s == due {
		q.show(m.flight, to, due)
	} else {
		q.hide(m.flight, to, s, f.visibleAt)
	}
	e.token = max(e.token, f.token)
	e.nextSeq = max(e.nextSeq, m.seq()+1)
}
