package seglog

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/backsum"
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// seedWork bounds the bytes summed up in search of a seed, as a multiple of the
// segment's: a body can be made to look like heads of records all over.
const seedWork = 64

// findSeed finds the start of the records' checksums in a segment whose header
// is damaged: from what is left of the header, else from the first record, whose
// checksum is run backwards. What an earlier use of the file left stands behind
// the records of this one, so the first record decides; in its place, should it
// be damaged too, the first two that stand next to each other.
func findSeed(data []byte, id uint32) (seed uint32, ok bool) {
	size := uint32(len(data))
	binary.LittleEndian.PutUint32(data[8:], id) // the name says it
	seed = seedOf(data)
	if _, _, ok := parseRecord(data[headerSize:], seed, headerSize, size); ok {
		return seed, true
	}
	work := uint64(size) * seedWork
	for off := uint32(headerSize); off+recordHead <= size; off += align {
		h, _ := parseHead(data[off:], seed, off, size)
		if h.length == 0 { // nothing, or a seal, which says nothing
			continue
		}
		if work < uint64(h.length) {
			return 0, false
		}
		work -= uint64(h.length)
		if _, ok := PayloadAt(data[off:]); !ok {
			continue
		}
		found := backsum.Start(binary.LittleEndian.Uint32(data[off:]), h.bytes(off))
		if off == headerSize {
			return found, true
		}
		next := off + RecordSize(int(h.length))
		if next+recordHead > size {
			continue
		}
		if _, _, ok := parseRecord(data[next:], found, next, size); ok {
			return found, true
		}
	}
	return 0, false
}

// bytes that a head's checksum covers after the seed.
func (h head) bytes(off uint32) []byte {
	b := make([]byte, 0, 16)
	for _, v := range [4]uint32{off, h.length, h.synced, h.payload} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}
