package diskqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"syscall"

	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

// A checkpoint is the memory of the engine in a file, so that a start replays
// only the log after it and segments before it can be recycled. It is written
// while the engine works, a stretch of messages at a time: the log from where
// the checkpoint was begun is replayed over it, and every record may be applied
// to a memory that has seen it already. Before it takes the place of the last
// one the log is synced, so that it never knows more than the log.

const (
	checkpointName  = "checkpoint"
	checkpointMagic = "DFLYCKP1"
	checkpointBlock = 2048    // messages a block, and a holding of the lock
	maxBlock        = 4 << 20 // bytes a reader believes
	minReplay       = 64 << 20
)

// Kinds of blocks.
const (
	blockHead     = 1
	blockQueue    = 2
	blockMessages = 3
	blockEnd      = 4
)

type checkpointInfo struct {
	from     seglog.Pos // where replay starts
	appended int64      // Log.Appended then
	size     int64      // bytes of the file
}

// checkpoint writes one; upkeep is held.
func (e *Engine) checkpoint() error {
	w := &checkpointWriter{e: e}
	err := w.run()
	if errors.Is(err, syscall.ENOSPC) && e.log.GiveUpReady() {
		// The disk is full. With the checkpoint, segments can be recycled; so it
		// has the better use for the room.
		w = &checkpointWriter{e: e}
		err = w.run()
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	e.last = w.info
	return nil
}

type checkpointWriter struct {
	e     *Engine
	f     vfs.File
	info  checkpointInfo
	block uint32
	count uint64
	uids  []uint32
}

const checkpointTemp = checkpointName + ".tmp"

func (w *checkpointWriter) run() (err error) {
	if err := vfs.RemoveIfExists(w.e.fsys, checkpointTemp); err != nil {
		return err
	}
	if w.f, err = w.e.fsys.Create(checkpointTemp); err != nil {
		return err
	}
	err = w.write()
	if err == nil {
		err = w.f.Datasync()
	}
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(err, vfs.RemoveIfExists(w.e.fsys, checkpointTemp))
	}
	if err := w.e.fsys.Rename(checkpointTemp, checkpointName); err != nil {
		return err
	}
	return w.e.fsys.SyncDir()
}

func (w *checkpointWriter) write() error {
	if err := w.put([]byte(checkpointMagic)); err != nil {
		return err
	}
	for _, b := range w.begin() {
		if err := w.putBlock(b); err != nil {
			return err
		}
	}
	for _, uid := range w.uids {
		for next, more := uint64(0), true; more; {
			var b []byte
			if b, next, more = w.messages(uid, next); b != nil {
				if err := w.putBlock(b); err != nil {
					return err
				}
			}
		}
	}
	if err := w.putBlock(binary.AppendUvarint([]byte{blockEnd}, w.count)); err != nil {
		return err
	}
	return w.e.log.Commit(w.e.log.End())
}

// begin takes down where replay starts, and everything but the messages.
func (w *checkpointWriter) begin() [][]byte {
	e := w.e
	e.mu.Lock()
	defer e.mu.Unlock()
	w.info.from, w.info.appended = e.log.End(), e.log.Appended()
	blocks := [][]byte{w.headBlock(w.info.from)}
	for uid, q := range e.byUID {
		b := binary.AppendUvarint([]byte{blockQueue}, uint64(uid))
		b = putString(b, q.name)
		for _, t := range []int64{q.created, q.modified, q.purged} {
			b = binary.AppendUvarint(b, uint64(t))
		}
		blocks = append(blocks, putMap(putQueueAttributes(b, q.attrs), q.tags))
		w.uids = append(w.uids, uid)
	}
	return blocks
}

func (w *checkpointWriter) headBlock(from seglog.Pos) []byte {
	e := w.e
	b := append([]byte{blockHead}, e.secret[:]...)
	for _, v := range []uint64{uint64(from), e.epoch, e.nextSeq, uint64(e.nextUID), e.token} {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// messages returns a block of a queue's messages from a number on, the number
// to go on with, and whether there are more.
func (w *checkpointWriter) messages(uid uint32, from uint64) (b []byte, next uint64, more bool) {
	e := w.e
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.byUID[uid]
	if q == nil {
		return nil, 0, false // deleted meanwhile: replay does it again
	}
	var body []byte
	var last entry
	n := 0
	q.messages.from(from, func(m *entry) bool {
		if n == checkpointBlock {
			more = true
			return false
		}
		body = e.putEntry(body, m, &last)
		last = *m
		next = m.seq() + 1
		n++
		return true
	})
	if n == 0 {
		return nil, 0, false
	}
	w.count += uint64(n)
	b = binary.AppendUvarint([]byte{blockMessages}, uint64(uid))
	return append(binary.AppendUvarint(b, uint64(n)), body...), next, more
}

// putEntry writes a message as differences from the one before.
func (e *Engine) putEntry(b []byte, m, last *entry) []byte {
	b = binary.AppendUvarint(b, m.seq()-last.seq())
	b = binary.AppendUvarint(b, m.key&0xffff)
	b = binary.AppendVarint(b, int64(m.pos)-int64(last.pos))
	b = binary.AppendVarint(b, int64(m.sent)-int64(last.sent))
	if m.flight == 0 {
		return append(b, 0)
	}
	f := e.flights.get(m.flight)
	b = append(b, byte(f.state))
	for _, v := range []uint64{
		uint64(f.visibleAt), f.token, uint64(f.first), uint64(f.receives), uint64(f.before),
	} {
		b = binary.AppendUvarint(b, v)
	}
	return putString(b, e.sources.name(f.source))
}

func (w *checkpointWriter) putBlock(b []byte) error { return w.put(w.frame(b)) }

// frame puts length and checksum, of number and bytes, before a block.
func (w *checkpointWriter) frame(b []byte) []byte {
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(b)))
	head = binary.LittleEndian.AppendUint32(head, blockSum(w.block, b))
	w.block++
	return append(head, b...)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func blockSum(n uint32, b []byte) uint32 {
	var number [4]byte
	binary.LittleEndian.PutUint32(number[:], n)
	return crc32.Update(crc32.Checksum(number[:], castagnoli), castagnoli, b)
}

func (w *checkpointWriter) put(b []byte) error {
	n, err := w.f.WriteAt(b, w.info.size)
	w.info.size += int64(n)
	return err
}

// loadCheckpoint fills the engine's memory from the file.
func (e *Engine) loadCheckpoint() error {
	f, err := e.fsys.Open(checkpointName)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	r := &checkpointReader{e: e, r: io.NewSectionReader(f, 0, size), size: size}
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
	if string(b) != checkpointMagic {
		return r.bad("not a checkpoint")
	}
	for {
		r.at = r.off
		b, err := r.next()
		if err != nil {
			return err
		}
		d := &decoder{b: b}
		k := d.byte()
		if r.headed != (k != blockHead) {
			return r.bad("block out of place")
		}
		switch k {
		case blockHead:
			r.head(d)
		case blockQueue:
			r.queue(d)
		case blockMessages:
			r.messages(d)
		case blockEnd:
			if d.uint() != r.count || r.off != r.size {
				d.fail()
			}
		default:
			d.fail()
		}
		if d.done() != nil {
			return r.bad("block is malformed")
		}
		if k == blockEnd {
			return nil
		}
	}
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
		r.e.loadEntry(q, m, d)
		r.count++
	}
}

// loadEntry enters a message with the flight that follows it, if any.
func (e *Engine) loadEntry(q *state, m entry, d *decoder) {
	s := flightState(d.byte())
	if s == 0 && d.err == nil {
		e.enter(q, m, 0)
		e.nextSeq = max(e.nextSeq, m.seq()+1)
		return
	}
	f := flight{visibleAt: d.milli(), token: d.uint(), first: d.milli(),
		receives: uint32(d.upTo(1<<32 - 1)), before: uint32(d.upTo(1<<32 - 1))}
	source := d.string()
	if s > due {
		d.fail()
	}
	if d.err != nil {
		return
	}
	f.source = e.sources.intern(source)
	f.seq = m.seq()
	var to *flight
	m.flight, to = e.flights.alloc(m.seq())
	*to = f
	if s == due {
		to.state = due
		q.due.push(m.flight)
	} else {
		q.hide(m.flight, to, s, f.visibleAt)
	}
	e.keep(&m)
	q.messages.add(m)
	e.token = max(e.token, f.token)
	e.nextSeq = max(e.nextSeq, m.seq()+1)
}
