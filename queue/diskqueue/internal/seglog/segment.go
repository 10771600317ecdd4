package seglog

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

const (
	magic  = "DFLYSEG1"
	suffix = ".seg"

	// maxOpen bounds the open files; beyond, the one used longest ago is closed.
	maxOpen = 512
)

// segment is one file of the log.
type segment struct {
	id   uint32
	size uint32
	seed uint32 // CRC32C of its random number and id: the start of its records' checksums

	live atomic.Int64 // bytes of records somebody still needs
	pins atomic.Int32 // readers under way

	file vfs.File // nil when closed; guarded by Log.mu
	used uint64   // Log.clock of the last use
}

func fileName(id uint32) string { return fmt.Sprintf("%08x%s", id, suffix) }

// parseFileName returns the id of a segment's file.
func parseFileName(name string) (uint32, bool) {
	stem, ok := strings.CutSuffix(name, suffix)
	if !ok || len(stem) != 8 || strings.ToLower(stem) != stem {
		return 0, false
	}
	id, err := strconv.ParseUint(stem, 16, 32)
	return uint32(id), err == nil && id > 0
}

// IsSegment reports whether a file of that name is a segment.
func IsSegment(name string) bool {
	_, ok := parseFileName(name)
	return ok
}

// newHeader returns the first bytes of a segment's file, with a new random number.
func newHeader(id, size uint32) []byte {
	b := make([]byte, headerSize+recordHead)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], id)
	binary.LittleEndian.PutUint32(b[12:], size)
	rand.Read(b[16:24]) // never fails
	binary.LittleEndian.PutUint32(b[headerSize-4:], crc32.Checksum(b[:headerSize-4], castagnoli))
	return b // the zeros after it are where the first record's head will be
}

// parseHeader reads a segment's header; the reason says what is wrong with it.
func parseHeader(b []byte, id uint32) (s *segment, reason string) {
	switch {
	case len(b) < headerSize || !bytes.HasPrefix(b, []byte(magic)):
		return nil, "no segment header"
	case binary.LittleEndian.Uint32(b[headerSize-4:]) != crc32.Checksum(b[:headerSize-4], castagnoli):
		return nil, "segment header has a wrong checksum"
	case binary.LittleEndian.Uint32(b[8:]) != id:
		return nil, fmt.Sprintf("segment header is that of %s", fileName(binary.LittleEndian.Uint32(b[8:])))
	}
	size := binary.LittleEndian.Uint32(b[12:])
	if size < 2*headerSize {
		return nil, "segment header has an impossible size"
	}
	return &segment{id: id, size: size, seed: seedOf(b)}, ""
}

// seedOf starts the checksums of a segment's records: they cover the random
// number and the id.
func seedOf(header []byte) uint32 {
	seed := crc32.Checksum(header[16:24], castagnoli)
	return crc32.Update(seed, castagnoli, header[8:12])
}

func (s *segment) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// fileOf returns the segment's file, opening it if need be. The caller has
// pinned the segment or writes to it, so that it stays open.
func (l *Log) fileOf(s *segment) (vfs.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock++
	s.used = l.clock
	if s.file != nil {
		return s.file, nil
	}
	if l.closed {
		return nil, ErrClosed
	}
	f, err := l.fsys.Open(fileName(s.id))
	if err != nil {
		return nil, err
	}
	s.file = f
	l.open++
	l.closeUnused()
	return f, nil
}

// closeUnused closes files beyond maxOpen. The lock is held.
func (l *Log) closeUnused() {
	for l.open > maxOpen {
		var oldest *segment
		for _, s := range l.segments {
			if s.file != nil && s.pins.Load() == 0 && (l.last == nil || s.id < l.last.id) && (oldest == nil || s.used < oldest.used) {
				oldest = s
			}
		}
		if oldest == nil {
			return
		}
		oldest.close()
		l.open--
	}
}

// Pinned is a segment that is not recycled until Unpin.
type Pinned struct {
	l *Log
	s *segment
}

// Pin keeps the segment of a live record from being recycled while it is read.
// The caller's lock, under which the record is known to be live, is held.
func (l *Log) Pin(p Pos) (Pinned, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.segments[p.Segment()]
	if s == nil {
		return Pinned{}, &CorruptError{fileName(p.Segment()), int64(p.Offset()), "segment is missing"}
	}
	s.pins.Add(1)
	return Pinned{l, s}, nil
}

// Unpin ends the reading.
func (p Pinned) Unpin() { p.s.pins.Add(-1) }

// Read reads the record at off into buf, growing it, and returns its payload,
// which aliases the buffer returned with it. size is at least the record's size.
func (p Pinned) Read(off, size uint32, buf []byte) (payload, grown []byte, err error) {
	f, err := p.l.fileOf(p.s)
	if err != nil {
		return nil, buf, err
	}
	size = min(size, p.s.size-off)
	if uint32(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := f.ReadAt(buf, int64(off)); err != nil {
		return nil, buf, fmt.Errorf("read %s: %w", At(p.s.id, off), err)
	}
	_, payload, ok := parseRecord(buf, p.s.seed, off, p.s.size)
	if !ok || len(payload) == 0 {
		return nil, buf, &CorruptError{fileName(p.s.id), int64(off), "record has a wrong checksum"}
	}
	return payload, buf, nil
}

// Keep tells that bytes of a record are needed: its segment is not recycled
// until as many are dropped. A record just appended is to be kept before the
// caller's lock is given up.
func (l *Log) Keep(p Pos, bytes uint32) { l.addLive(p, int64(bytes)) }

// Drop tells that bytes kept before are needed no more.
func (l *Log) Drop(p Pos, bytes uint32) { l.addLive(p, -int64(bytes)) }

func (l *Log) addLive(p Pos, n int64) {
	l.mu.Lock()
	s := l.segments[p.Segment()]
	l.mu.Unlock()
	if s != nil {
		s.live.Add(n)
	}
}

// SetLive tells, after Open, how many bytes of each segment's records are live.
// It fails if one of these segments is not there.
func (l *Log) SetLive(bytes map[uint32]int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range bytes {
		s := l.segments[id]
		if s == nil && n != 0 {
			return &CorruptError{fileName(id), 0, fmt.Sprintf("segment is missing or its header is damaged, and %d bytes in it are needed", n)}
		}
		if s != nil {
			s.live.Store(n)
		}
	}
	return nil
}
