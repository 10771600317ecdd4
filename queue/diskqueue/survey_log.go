package diskqueue

import (
	"math"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

// A replayer applies the records of a log that may have holes to a memory, and
// keeps account of what the holes may have cost.
type replayer struct {
	s *survey
	e *Engine
	// lossy: something is missing, so that what contradicts what is known is
	// taken for its consequence, not for damage of its own.
	lossy   bool
	dropped map[uint32]bool
	named   map[uint32]bool // queues whose making was read
	unnamed map[uint32]bool // queues of which nothing was found but messages
	// doubtBelow: a message with a lesser seq may have been deleted by what is missing.
	doubtBelow uint64
	// strays are changes of messages from before that the memory does not have.
	strays int

	holes     []*lostHole // in order of place
	malformed map[seglog.Pos]string
	missing   map[uint64]lostMessage // sent in holes and not deleted since, by seq
	// Until the next message tells by its number how many were sent in them:
	open []*lostHole
	gone map[uint64]bool   // seqs that were deleted
	hint map[uint64]uint32 // queues of seqs that something happened to
}

// lostHole is a hole in which records were.
type lostHole struct {
	pos   seglog.Pos
	bytes uint32
	one   bool // it is one record, whose head is whole
	kind  kind // of that record, as far as its bytes say
	stamp stamp
	sent  int // messages that were sent in it; -1: unknown
}

// lostMessage is one that was sent in a hole.
type lostMessage struct {
	hole *lostHole
	uid  uint32 // 0: unknown
}

func newReplayer(s *survey, e *Engine) *replayer {
	return &replayer{s: s, e: e, dropped: map[uint32]bool{}, named: map[uint32]bool{}, unnamed: map[uint32]bool{},
		malformed: map[seglog.Pos]string{}, missing: map[uint64]lostMessage{},
		gone: map[uint64]bool{}, hint: map[uint64]uint32{}}
}

// replay applies the log after the checkpoint; without one, all there is.
func (s *survey) replay() error {
	from, required := s.read.from, s.read.from.Segment()
	if !s.read.headed {
		ids, err := seglog.Files(s.fsys)
		if err != nil {
			return err
		}
		from, required = seglog.First(ids), math.MaxUint32
		s.log.lossy = true
	}
	s.log.lossy = s.log.lossy || s.read.lostBlocks
	var err error
	if s.end, err = s.log.walk(from, required); err != nil {
		return err
	}
	for seq := range s.log.missing { // moved since, so that the memory has it
		for _, q := range s.e.byUID {
			if q.messages.get(seq) != nil {
				delete(s.log.missing, seq)
			}
		}
	}
	return nil
}

func (r *replayer) walk(from seglog.Pos, required uint32) (seglog.Found, error) {
	found, err := seglog.Walk(r.s.fsys, from, required, seglog.Walker{
		Segment: func(m *seglog.Image) error {
			r.s.progress(int64(m.Size()))
			return r.s.ctx.Err()
		},
		Record: r.record,
		Hole:   r.hole,
		Gap: func(uint32) error {
			r.lost()
			return nil
		},
	})
	r.leaveOpen()
	return found, err
}

func (r *replayer) lost() {
	r.lossy = true
	if !r.s.read.headed {
		r.doubtBelow = r.e.nextSeq
	}
}

func (r *replayer) hole(id uint32, h seglog.Hole) error {
	if !h.Damaged || !hasRecords(h) {
		return nil
	}
	r.lost()
	x := &lostHole{pos: seglog.At(id, h.Off), bytes: h.End - h.Off}
	if h.End == 0 {
		x.bytes = maxSegment
	}
	if len(h.Payload) > 0 {
		d := &decoder{b: h.Payload[1:]}
		x.one, x.kind, x.stamp = true, kind(h.Payload[0]), d.stamp()
	}
	r.holes = append(r.holes, x)
	r.open = append(r.open, x)
	return nil
}

// hasRecords: a hole may also be a file's header or end alone.
func hasRecords(h seglog.Hole) bool {
	return h.End > h.Off && h.End > seglog.Start.Offset() || h.End == 0
}

// record applies one record. That it cannot be is damage, but no reason to stop.
func (r *replayer) record(p seglog.Pos, size uint32, payload []byte) error {
	d := &decoder{b: payload}
	k := kind(d.byte())
	switch k {
	case kindSend, kindCopy:
		r.message(k, d)
	case kindRedrive:
		r.message(k, d)
		if _, from, seq, err := cutRedrive(payload); err == nil {
			r.changed(kindDelete, from, seq)
		}
	case kindCreate:
		r.create(d)
	case kindDrop:
		r.dropped[uint32(d.uint())] = true
		r.strays++ // perhaps: of messages in it
	case kindPurge:
		r.strays++
	case kindReceive, kindVisibility, kindDelete, kindMove:
		r.change(k, d)
	}
	if k == kindCopy && r.lossy { // what is copied is alive, known or not
		payload[0] = byte(kindSend)
	}
	err := r.apply(p, size, payload)
	payload[0] = byte(k)
	if err != nil {
		r.malformed[p] = err.Error()
	}
	return nil
}

// apply also knows records of format 1, which stand in old segments.
func (r *replayer) apply(p seglog.Pos, size uint32, payload []byte) error {
	err := r.e.apply(p, size, payload)
	if err != nil && r.lossy && r.e.format != 1 {
		format := r.e.format
		r.e.format = 1
		if r.e.apply(p, size, payload) == nil {
			err = nil
		}
		r.e.format = format
	}
	return err
}

// message tells by the number of a message how many were sent in the holes
// before it: numbers have no gaps.
func (r *replayer) message(k kind, d *decoder) {
	m := d.stamp()
	if d.err != nil {
		return
	}
	if k.stores() && len(r.open) > 0 && m.seq >= r.e.nextSeq {
		r.resolve(m.seq)
	}
	r.need(m.uid)
}

// need makes sure of a queue that messages are in, though its making was lost.
func (r *replayer) need(uid uint32) {
	if r.lossy && r.e.byUID[uid] == nil && !r.dropped[uid] && uid != 0 {
		r.s.place(r.e, uid)
		r.unnamed[uid] = true
	}
}

func (r *replayer) resolve(seq uint64) {
	room := uint64(0) // what fits into the holes at most
	for _, h := range r.open {
		room += uint64(h.bytes) / sizeUnit
		if h.one && h.kind.stores() {
			r.hint[h.stamp.seq] = h.stamp.uid
		}
	}
	hole := r.open[0]
	for next := r.e.nextSeq; next < seq && room > 0; next, room = next+1, room-1 {
		if !r.gone[next] {
			r.missing[next] = lostMessage{hole, r.hint[next]}
		}
		hole.sent++
	}
	r.open = nil
	clear(r.gone)
	clear(r.hint)
}

// leaveOpen ends the log: how many messages were sent in the last holes is not
// known, save for those that something happened to, and those that a record
// seems to have been.
func (r *replayer) leaveOpen() {
	for _, h := range r.open {
		if h.sent = -1; h.one && h.kind.stores() && h.stamp.seq >= r.e.nextSeq {
			h.sent = 1
			r.hint[h.stamp.seq] = h.stamp.uid
		}
	}
	for seq, uid := range r.hint {
		if len(r.open) > 0 && !r.gone[seq] {
			r.missing[seq] = lostMessage{r.open[0], uid}
		}
	}
}

func (r *replayer) create(d *decoder) {
	uid, name := uint32(d.uint()), d.string()
	if d.err != nil {
		return
	}
	r.named[uid] = true
	if q := r.e.byUID[uid]; q != nil && r.unnamed[uid] && r.e.queues[name] == nil {
		r.reveal(q, name, d)
	}
	if old := r.e.queues[name]; old != nil && old.uid != uid && r.lossy {
		r.e.dropQueue(old, 0) // that is lost; else there could not be a new one
	}
}

// reveal names a queue of which nothing was known but messages: an import writes
// those first.
func (r *replayer) reveal(q *state, name string, d *decoder) {
	created, attrs, tags := d.milli(), d.queueAttributes(), d.strings()
	if d.err != nil {
		return
	}
	r.s.rename(r.e, q, name)
	q.attrs, q.tags, q.created, q.modified = attrs, tags, created, created
	delete(r.unnamed, q.uid)
}

// change keeps account of what becomes of messages that were sent in holes.
func (r *replayer) change(k kind, d *decoder) {
	uid := uint32(d.uint())
	values := map[kind]int{kindDelete: 0, kindVisibility: 1, kindReceive: 4}[k]
	n, to := uint64(1), uint32(0)
	if k == kindMove {
		to = uint32(d.uint())
	} else {
		n = d.upTo(maxDecodedCount)
	}
	for ; n > 0 && d.err == nil; n-- {
		seq := d.uint()
		if k == kindMove {
			seq >>= 16
		}
		for range values {
			d.uint()
		}
		if d.err == nil {
			r.changed(k, uid, seq)
			if q := r.e.byUID[uid]; q != nil && q.messages.get(seq) != nil {
				r.need(to)
			}
		}
	}
}

func (r *replayer) changed(k kind, uid uint32, seq uint64) {
	if q := r.e.byUID[uid]; q != nil && q.messages.get(seq) != nil {
		return
	}
	x, known := r.missing[seq]
	switch {
	case known && k == kindDelete:
		delete(r.missing, seq)
	case known:
		r.missing[seq] = lostMessage{x.hole, uid}
	case seq < r.s.read.nextSeq:
		r.strays++
	case seq < r.e.nextSeq || len(r.open) == 0:
	case k == kindDelete:
		r.gone[seq] = true
	default:
		r.hint[seq] = uid
	}
}
