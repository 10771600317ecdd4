package seglog

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

const (
	headerSize = 64 // of a segment
	recordHead = 16 // of a record
	align      = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// RecordSize is the room a payload of n bytes takes in the log.
func RecordSize(n int) uint32 {
	return (recordHead + uint32(n) + align - 1) &^ (align - 1)
}

// head is the fixed part of a record.
type head struct {
	length  uint32 // of the payload; 0 seals the segment
	synced  uint32 // offset up to which the segment was on the disk
	payload uint32 // CRC32C of the payload
}

// sum binds the head to its place.
func (h head) sum(seed, off uint32) uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint32(b[0:], off)
	binary.LittleEndian.PutUint32(b[4:], h.length)
	binary.LittleEndian.PutUint32(b[8:], h.synced)
	binary.LittleEndian.PutUint32(b[12:], h.payload)
	return crc32.Update(seed, castagnoli, b[:])
}

// appendRecord appends the record that is to stand at off, padding included.
func appendRecord(b []byte, seed, off, synced uint32, payload []byte) []byte {
	h := head{uint32(len(payload)), synced, crc32.Checksum(payload, castagnoli)}
	b = binary.LittleEndian.AppendUint32(b, h.sum(seed, off))
	b = binary.LittleEndian.AppendUint32(b, h.length)
	b = binary.LittleEndian.AppendUint32(b, h.synced)
	b = binary.LittleEndian.AppendUint32(b, h.payload)
	b = append(b, payload...)
	var zero [align]byte
	return append(b, zero[:RecordSize(len(payload))-recordHead-uint32(len(payload))]...)
}

// parseHead reads the head at off of a segment of the given size; false if no
// record was written there.
func parseHead(b []byte, seed, off, size uint32) (head, bool) {
	if len(b) < recordHead {
		return head{}, false
	}
	h := head{
		length:  binary.LittleEndian.Uint32(b[4:]),
		synced:  binary.LittleEndian.Uint32(b[8:]),
		payload: binary.LittleEndian.Uint32(b[12:]),
	}
	if h.synced < headerSize || h.synced > off || h.length > size-headerSize {
		return head{}, false
	}
	if uint64(off)+uint64(RecordSize(int(h.length))) > uint64(size) {
		return head{}, false
	}
	return h, binary.LittleEndian.Uint32(b) == h.sum(seed, off)
}

// parseRecord reads the record at the start of b; false if there is none whole.
// The payload aliases b.
func parseRecord(b []byte, seed, off, size uint32) (h head, payload []byte, ok bool) {
	h, ok = parseHead(b, seed, off, size)
	if !ok || uint64(len(b)) < recordHead+uint64(h.length) {
		return h, nil, false
	}
	payload = b[recordHead : recordHead+h.length]
	return h, payload, crc32.Checksum(payload, castagnoli) == h.payload
}

var zeros [4096]byte

// skipZeros returns the first place from off on, in steps of align, at which a
// record may begin: its head is not all zeros, which nearly all of a segment is
// while it is new. To compare is many times quicker than to parse at each place.
func skipZeros(data []byte, off uint32) uint32 {
	for uint64(off)+uint64(len(zeros)) <= uint64(len(data)) && bytes.Equal(data[off:int(off)+len(zeros)], zeros[:]) {
		off += uint32(len(zeros)) - align // the head at the next place is half behind these
	}
	return off
}
