package diskqueue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
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
	checkpointMagic = "DFLYCKP2"
	checkpointFirst = "DFLYCKP1" // of format 1, which is read too
	checkpointBlock = 2048       // messages a block, and a holding of the lock
	maxBlock        = 4 << 20    // bytes a reader believes
	minReplay       = 64 << 20
)

// Kinds of blocks.
const (
	blockHead     = 1
	blockQueue    = 2
	blockMessages = 3
	blockEnd      = 4
	blockDedup    = 5
	blockDropped  = 6
	blockMoveTask = 7
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
		if err := w.dedup(uid); err != nil {
			return err
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
	e.deletedRecently("", now())
	for name, at := range e.dropped {
		blocks = append(blocks, binary.AppendUvarint(putString([]byte{blockDropped}, name), uint64(at)))
	}
	return append(blocks, e.moveBlocks()...)
}

// dedup writes the deduplication ids of a queue, a stretch at a time.
func (w *checkpointWriter) dedup(uid uint32) error {
	for begun, from := int64(0), 0; ; {
		var b []byte
		if b, begun, from = w.dedupBlock(uid, begun, from); b == nil {
			return nil
		}
		if err := w.putBlock(b); err != nil {
			return err
		}
	}
}

// dedupBlock returns a block from an element of the generation that begun then
// on, and where to go on; nil when there are no more.
func (w *checkpointWriter) dedupBlock(uid uint32, begun int64, from int) (b []byte, nextBegun int64, next int) {
	e := w.e
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.byUID[uid]
	if q == nil {
		return nil, 0, 0
	}
	var list []dup
	for _, g := range q.dedup.generations {
		if g.begun > begun {
			begun, from = g.begun, 0
		}
		if g.begun == begun && from < len(g.list) {
			list = g.list[from:min(from+checkpointBlock, len(g.list))]
			break
		}
	}
	if list == nil {
		return nil, 0, 0
	}
	b = binary.AppendUvarint([]byte{blockDedup}, uint64(uid))
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, d := range list {
		b = append(b, d.key[:]...)
		b = binary.AppendUvarint(binary.AppendUvarint(b, d.seq), uint64(d.sent))
	}
	return b, begun, from + len(list)
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
		body = e.putEntry(body, q, m, &last)
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
func (e *Engine) putEntry(b []byte, q *state, m, last *entry) []byte {
	b = binary.AppendUvarint(b, m.seq()-last.seq())
	b = binary.AppendUvarint(b, m.key&0xffff)
	b = binary.AppendVarint(b, int64(m.pos)-int64(last.pos))
	b = binary.AppendVarint(b, int64(m.sent)-int64(last.sent))
	if m.flight == 0 {
		return append(b, 0)
	}
	f := e.flights.get(m.flight)
	b = putString(append(b, byte(f.state)), q.groups.name(f.group))
	if f.state == waiting {
		return b
	}
	for _, v := range []uint64{
		uint64(f.visibleAt), f.token, uint64(f.first), uint64(f.receives), uint64(f.before), uint64(f.since),
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
