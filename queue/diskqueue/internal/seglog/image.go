package seglog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

// What is in this file and in scan.go, walk.go and seed.go reads a log without
// changing it, and goes on past damage: for verifying a store, and for taking
// out of a damaged one what is left. Open stops at damage.

// Image is the file of one segment as it is on the disk.
type Image struct {
	ID uint32
	// Damage to the file itself: its header, its size.
	Damage []Hole
	// Foreign: the header is whole, and that of another segment: a file that was
	// being recycled when the process died.
	Foreign bool

	size     uint32
	seed     uint32
	readable bool // the seed is known, so that records can be told
	data     []byte
	missing  []Hole // what the disk cannot read, or the file is too short for
}

// Hole is a stretch of a segment that is not as it was written.
type Hole struct {
	Off, End uint32
	Reason   string
	// Payload, where the hole is one record: of a damaged one if Damaged, else
	// whole, only the record's head is not. It is valid during the call alone.
	Payload []byte
	Damaged bool
}

// Files returns the ids of the segments' files in ascending order.
func Files(fsys vfs.FS) ([]uint32, error) {
	names, err := fsys.List()
	if err != nil {
		return nil, err
	}
	var ids []uint32
	for _, name := range names {
		if id, ok := parseFileName(name); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// HeadSize is the number of bytes before a record's payload.
const HeadSize = recordHead

// FileName of a segment.
func FileName(id uint32) string { return fileName(id) }

// blank is what a disk that cannot read a sector is asked for at a time, bytes.
const blank = 4096

// ReadImage reads the file of a segment; buf, which may be nil, is used for it if
// it is large enough. Only that there is no such file is an error: what cannot
// be read is damage.
func ReadImage(fsys vfs.FS, id uint32, buf []byte) (*Image, error) {
	f, err := fsys.Open(fileName(id))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	onDisk, err := f.Size()
	if err != nil {
		return nil, err
	}
	m := &Image{ID: id}
	have := min(onDisk, maxImage)
	if int64(cap(buf)) < have {
		buf = make([]byte, have)
	}
	m.data = buf[:have]
	m.missing = ReadPast(f, m.data)
	m.header(onDisk)
	return m, nil
}

// maxImage is the largest file believed to be a segment, bytes.
const maxImage = 1 << 30

// ReadPast reads the first len(data) bytes of a file; where the disk cannot read
// it leaves zeros, and says so.
func ReadPast(f io.ReaderAt, data []byte) (missing []Hole) {
	if n, _ := f.ReadAt(data, 0); n == len(data) {
		return nil
	}
	for off := 0; off < len(data); off += blank {
		end := min(off+blank, len(data))
		n, err := f.ReadAt(data[off:end], int64(off))
		if n == end-off {
			continue
		}
		clear(data[off:end])
		reason := fmt.Sprintf("the disk cannot read it: %v", err)
		if errors.Is(err, io.EOF) {
			reason = "the file ended while it was read"
		}
		if k := len(missing); k > 0 && missing[k-1].End == uint32(off) {
			missing[k-1].End = uint32(end)
		} else {
			missing = append(missing, Hole{Off: uint32(off), End: uint32(end), Reason: reason})
		}
	}
	return missing
}

// header finds out size and seed.
func (m *Image) header(onDisk int64) {
	s, reason := parseHeader(m.data, m.ID)
	if reason == "" {
		m.size, m.seed, m.readable = s.size, s.seed, true
		m.fit(onDisk)
		return
	}
	for _, x := range m.missing {
		if x.overlaps(0, headerSize) {
			reason = x.Reason
		}
	}
	m.Damage = append(m.Damage, Hole{End: headerSize, Reason: reason})
	if len(m.data) >= headerSize {
		own := binary.LittleEndian.Uint32(m.data[8:])
		_, other := parseHeader(m.data, own)
		m.Foreign = own != m.ID && other == ""
	}
	m.size = uint32(len(m.data)) &^ (align - 1)
	m.data = m.data[:m.size]
	if m.size > headerSize && !m.Foreign {
		m.seed, m.readable = findSeed(m.data, m.ID)
	}
}

// fit makes data as long as the header says.
func (m *Image) fit(onDisk int64) {
	if onDisk == int64(m.size) {
		return
	}
	reason := fmt.Sprintf("file has %d bytes, its header says %d", onDisk, m.size)
	if have := uint32(len(m.data)); have < m.size {
		m.data = append(m.data, make([]byte, m.size-have)...)
		m.missing = append(m.missing, Hole{Off: have, End: m.size, Reason: reason})
		return
	}
	m.data = m.data[:m.size]
	m.Damage = append(m.Damage, Hole{Off: m.size, End: m.size, Reason: reason})
}

// Buffer of the image, for the next one.
func (m *Image) Buffer() []byte { return m.data[:cap(m.data)] }

// whole reports whether the file is as it was made, whatever its records are.
func (m *Image) whole() bool { return len(m.Damage) == 0 && len(m.missing) == 0 }

// Size of the segment in bytes.
func (m *Image) Size() uint32 { return m.size }

// Used reports whether the segment has any record.
func (m *Image) Used() bool {
	for off := skipZeros(m.data, headerSize); m.readable && off+recordHead <= m.size; off = skipZeros(m.data, off+align) {
		if _, _, ok := m.record(off); ok {
			return true
		}
	}
	return false
}

func (m *Image) record(off uint32) (head, []byte, bool) {
	return parseRecord(m.data[off:], m.seed, off, m.size)
}

// Payload returns the payload of the record at off if its own checksum passes,
// whatever became of the record's head.
func (m *Image) Payload(off uint32) ([]byte, bool) {
	if off < headerSize || off+recordHead > m.size {
		return nil, false
	}
	return PayloadAt(m.data[off:])
}

// PayloadAt returns the payload of the record at the start of b by its own
// checksum alone. Whoever takes it for a record must know of one at this place.
func PayloadAt(b []byte) ([]byte, bool) {
	if len(b) < recordHead {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n == 0 || uint64(n) > uint64(len(b)-recordHead) {
		return nil, false
	}
	payload := b[recordHead : recordHead+n]
	return payload, binary.LittleEndian.Uint32(b[12:]) == checksum(payload)
}
