package seglog

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

// Walker is called for what a walk finds, in order of place. An error it returns
// ends the walk.
type Walker struct {
	// Segment is called before what is in it; may be nil.
	Segment func(*Image) error
	// Record: the payload may not be kept.
	Record func(p Pos, size uint32, payload []byte) error
	// Hole is damage to what was on the disk. A segment that should be there and
	// is not is a hole from 0 to 0.
	Hole func(id uint32, h Hole) error
	// Gap: there is no segment between this one and the one before, and there
	// need not be: it was recycled. May be nil.
	Gap func(id uint32) error
}

// Found is where a walk came to.
type Found struct {
	End  Pos // of the log, as Open would find it
	Torn bool
}

// Walk goes through a log from a place on to its end, changing nothing, past any
// damage. Segments below required may be missing.
func Walk(fsys vfs.FS, from Pos, required uint32, w Walker) (Found, error) {
	ids, err := Files(fsys)
	if err != nil {
		return Found{}, err
	}
	k := &walk{fsys: fsys, w: w, required: required, ids: ids}
	if k.last, err = k.lastUsed(from.Segment()); err != nil {
		return Found{}, err
	}
	return k.run(from)
}

// First returns the first place of the segment with the least id; Start if there
// is none.
func First(ids []uint32) Pos {
	if len(ids) == 0 {
		return Start
	}
	return At(ids[0], headerSize)
}

type walk struct {
	fsys     vfs.FS
	w        Walker
	required uint32
	ids      []uint32
	last     uint32 // segment with records; 0: none
	buf      []byte
}

// lastUsed returns the last segment that has a whole header and any record.
func (k *walk) lastUsed(from uint32) (uint32, error) {
	for _, id := range slices.Backward(k.ids) {
		if id < from {
			break
		}
		m, err := k.image(id)
		if err != nil {
			return 0, err
		}
		if m != nil && m.whole() && m.Used() {
			return id, nil
		}
	}
	return from, nil
}

// image reads a segment; nil if there is none.
func (k *walk) image(id uint32) (*Image, error) {
	m, err := ReadImage(k.fsys, id, k.buf)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k.buf = m.Buffer()
	return m, nil
}

func (k *walk) run(from Pos) (found Found, err error) {
	off := from.Offset()
	for id := from.Segment(); ; id++ {
		m, err := k.image(id)
		if err != nil {
			return found, err
		}
		found.End = At(id, off)
		if m == nil || m.Foreign {
			if id, err = k.absent(id, m != nil); err != nil || id >= k.last {
				return found, err
			}
			off = headerSize
			continue
		}
		end, err := k.segment(m, off)
		if err != nil {
			return found, err
		}
		found = Found{At(id, end.Off), end.Torn}
		if id == math.MaxUint32 || id >= k.last && !end.Sealed {
			return found, nil
		}
		off = headerSize
	}
}

// segment goes through one segment.
func (k *walk) segment(m *Image, off uint32) (End, error) {
	if k.w.Segment != nil {
		if err := k.w.Segment(m); err != nil {
			return End{}, err
		}
	}
	for _, h := range m.Damage {
		h.Damaged = true
		if err := k.w.Hole(m.ID, h); err != nil {
			return End{}, err
		}
	}
	told := make([]bool, len(m.missing)) // as part of a hole among the records
	end, err := m.scan(off, m.ID < k.last, visitor{
		record: func(off, size uint32, payload []byte) error { return k.w.Record(At(m.ID, off), size, payload) },
		hole: func(h Hole) error {
			for i, x := range m.missing {
				told[i] = told[i] || x.overlaps(h.Off, h.End)
			}
			return k.w.Hole(m.ID, h)
		},
	})
	for i, x := range m.missing {
		if err == nil && !told[i] {
			x.Damaged = true
			err = k.w.Hole(m.ID, x)
		}
	}
	return end, err
}

// absent tells of a segment that is not there, and of those after it, and
// returns the last of them.
func (k *walk) absent(id uint32, foreign bool) (uint32, error) {
	next := k.last
	if i, _ := slices.BinarySearch(k.ids, id+1); i < len(k.ids) {
		next = min(next, k.ids[i])
	}
	if id < k.required && id < k.last { // nothing in it is needed for replay
		end := min(next, k.required) - 1
		if k.w.Gap == nil {
			return end, nil
		}
		return end, k.w.Gap(id)
	}
	end := max(next, id+1) - 1
	reason := "segment is missing"
	if foreign {
		reason = "segment is missing: the file's header is that of another one"
	} else if end > id {
		reason = fmt.Sprintf("segment is missing, and so are those to %s", fileName(end))
	}
	return end, k.w.Hole(id, Hole{Reason: reason, Damaged: true})
}
