package seglog

import (
	"fmt"
	"math"
	"slices"
)

// End of the records of a segment.
type End struct {
	Off    uint32 // where the next record would be, or the seal is
	Sealed bool
	Torn   bool // the last write was not finished, and nothing in it was synced
}

// Unknown is the end of a hole that goes to the end of a segment whose size is
// not known any more.
const Unknown = math.MaxUint32

// visitor is called for what a scan finds, in order of place.
type visitor struct {
	record func(off, size uint32, payload []byte) error
	hole   func(Hole) error
}

// mark is a whole record behind a hole.
type mark struct {
	off    uint32
	synced uint32 // the most that it or one behind it says was synced
}

// scan goes through the records from an offset on. Where one does not pass, it
// is as Open judges it: the end, if nothing shows that more was on the disk;
// else a hole, after which the scan goes on at the next whole record. later:
// there are records in a later segment, so that all of this one was synced.
func (m *Image) scan(from uint32, later bool, v visitor) (End, error) {
	if !m.readable {
		reason := "its header is damaged, and no record in it can be told any more"
		return End{Off: m.size}, v.hole(Hole{Off: from, End: Unknown, Reason: reason, Damaged: true})
	}
	off := from
	if off < headerSize || off%align != 0 || off > m.size {
		return End{Off: m.size}, v.hole(Hole{Off: min(off, m.size), End: m.size, Reason: "no record can start here", Damaged: true})
	}
	var marks []mark
	marked := false
	for {
		h, payload, ok := m.record(off)
		if ok && h.length == 0 {
			return End{Off: off, Sealed: true}, nil
		}
		if ok {
			n := RecordSize(len(payload))
			if err := v.record(off, n, payload); err != nil {
				return End{Off: off}, err
			}
			off += n
			continue
		}
		if !marked {
			marks, marked = m.marks(off), true
		}
		for len(marks) > 0 && marks[0].off <= off {
			marks = marks[1:]
		}
		next := m.size
		if len(marks) > 0 {
			next = marks[0].off
		}
		headed, whole := m.head(off)
		if whole && headed.length > 0 {
			next = off + RecordSize(int(headed.length))
		}
		shown := later || len(marks) > 0 && marks[0].synced > off || m.isMissing(off, min(off+recordHead, m.size)) || whole && m.isMissing(off, next)
		if !shown {
			return End{Off: off, Torn: len(marks) > 0 || !m.clean(off)}, nil
		}
		if err := m.visitHole(off, next, v); err != nil {
			return End{Off: off}, err
		}
		if off = next; off == m.size {
			return End{Off: off}, nil
		}
	}
}

// visitHole tells of a hole, and of the record that it is if that can be read.
func (m *Image) visitHole(off, end uint32, v visitor) error {
	h := Hole{Off: off, End: end, Reason: m.reason(off, end), Damaged: true}
	if payload, ok := m.Payload(off); ok && off+RecordSize(len(payload)) == end {
		h.Payload, h.Damaged = payload, false
	} else if headed, ok := m.head(off); ok && headed.length > 0 {
		h.Payload = m.data[off+recordHead : off+recordHead+headed.length]
	}
	if err := v.hole(h); err != nil || h.Damaged {
		return err
	}
	return v.record(off, end-off, h.Payload)
}

func (m *Image) head(off uint32) (head, bool) {
	return parseHead(m.data[off:], m.seed, off, m.size)
}

// reason says what is wrong with a hole.
func (m *Image) reason(off, end uint32) string {
	for _, x := range m.missing {
		if x.overlaps(off, end) {
			return x.Reason
		}
	}
	if _, _, ok := m.record(end); ok {
		return fmt.Sprintf("record has a wrong checksum, and the one at %d shows that it was on the disk", end)
	}
	return "record has a wrong checksum, and a later one shows that it was on the disk"
}

func (h Hole) overlaps(off, end uint32) bool { return h.Off < end && off < h.End }

func (m *Image) isMissing(off, end uint32) bool {
	return slices.ContainsFunc(m.missing, func(x Hole) bool { return x.overlaps(off, end) })
}

// clean reports whether the zeros stand where every write ends.
func (m *Image) clean(off uint32) bool {
	return off+recordHead > m.size || [recordHead]byte(m.data[off:]) == [recordHead]byte{}
}

// marks finds all whole records behind a place.
func (m *Image) marks(off uint32) []mark {
	var found []mark
	for off = skipZeros(m.data, off+align); off+recordHead <= m.size; off = skipZeros(m.data, off+align) {
		if h, _, ok := m.record(off); ok {
			found = append(found, mark{off, h.synced})
		}
	}
	most := uint32(0)
	for i := range slices.Backward(found) {
		most = max(most, found[i].synced)
		found[i].synced = most
	}
	return found
}
