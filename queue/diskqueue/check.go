package diskqueue

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

// A check reads every record of the log and compares the messages with the
// memory. It holds one segment at a time.
type check struct {
	s       *survey
	report  func(Damage) error
	read    *recordReader
	live    map[uint32]int    // messages by segment
	moved   map[uint64]uint32 // queues of messages whose records name another
	extras  map[uint64]entry
	missing map[*lostHole][]uint64
	visited map[uint32]bool

	segment  uint32 // being read; 0: none
	verified []uint32
	holes    []seglog.Hole
	absent   map[uint32]string // why, of segments that should be there

	damages int
	lost    int64
	lostOf  map[string]int64
	bytes   int64
}

func newCheck(s *survey, report func(Damage) error) *check {
	if report == nil {
		report = func(Damage) error { return nil }
	}
	c := &check{s: s, report: report, read: newRecordReader(s.fsys),
		live: map[uint32]int{}, moved: map[uint64]uint32{}, extras: map[uint64]entry{},
		missing: map[*lostHole][]uint64{}, visited: map[uint32]bool{}, absent: map[uint32]string{}, lostOf: map[string]int64{}}
	for uid, q := range s.e.byUID {
		q.messages.from(0, func(m *entry) bool {
			c.live[m.pos.Segment()]++
			if m.flight != 0 && s.e.flights.get(m.flight).source != 0 {
				c.moved[m.seq()] = uid
			}
			return true
		})
	}
	for i := range s.extra {
		m := s.extra[i].m
		c.live[m.pos.Segment()]++
		c.extras[m.seq()] = m
	}
	for seq, x := range s.log.missing {
		c.missing[x.hole] = append(c.missing[x.hole], seq)
	}
	return c
}

func (c *check) run() error {
	defer c.read.close()
	for _, d := range c.s.damage {
		if err := c.tell(d); err != nil {
			return err
		}
	}
	ids, err := seglog.Files(c.s.fsys)
	if err != nil {
		return err
	}
	required := uint32(math.MaxUint32)
	if c.s.read.headed {
		required = c.s.read.from.Segment()
	}
	from := seglog.First(ids)
	if c.s.read.headed && from.Segment() > required {
		from = seglog.At(required, seglog.Start.Offset())
	}
	_, err = seglog.Walk(c.s.fsys, from, required, seglog.Walker{
		Segment: c.enter,
		Record:  c.record,
		Hole:    c.hole,
		Gap:     func(uint32) error { return c.leave() },
	})
	if err == nil {
		err = c.leave()
	}
	if err != nil {
		return err
	}
	return c.rest()
}

func (c *check) tell(d Damage) error {
	c.damages++
	c.lost += int64(len(d.Lost))
	for _, l := range d.Lost {
		c.lostOf[l.Queue]++
	}
	return c.report(d)
}

func (c *check) enter(m *seglog.Image) error {
	if err := c.leave(); err != nil {
		return err
	}
	c.segment = m.ID
	c.visited[m.ID] = true
	c.bytes += int64(m.Size())
	c.s.progress(int64(m.Size()))
	return c.s.ctx.Err()
}

// hole keeps a hole until all of its segment is read.
func (c *check) hole(id uint32, h seglog.Hole) error {
	if h.End == 0 {
		c.absent[id] = h.Reason
		return c.leave()
	}
	h.Payload = nil // is gone by then
	c.holes = append(c.holes, h)
	return nil
}

func (c *check) record(p seglog.Pos, size uint32, payload []byte) error {
	if reason, ok := c.s.log.malformed[p]; ok {
		c.holes = append(c.holes, seglog.Hole{Off: p.Offset(), End: p.Offset() + size, Reason: reason, Damaged: true})
	}
	k := kind(payload[0])
	if !k.stores() && k != kindCopy {
		return nil
	}
	d := &decoder{b: payload[1:]}
	s := d.stamp()
	if d.err != nil {
		return nil // malformed: were it alive, it would be missed
	}
	want := newEntry(s.seq, p, size, s.sent)
	if m := c.alive(s); m != nil && m.pos == p && m.key == want.key {
		if _, _, err := decodeMessage(payload); err == nil {
			c.verified = append(c.verified, p.Offset())
		}
	}
	return nil
}

// alive returns the entry of the message a record is of, if it is alive.
func (c *check) alive(s stamp) *entry {
	for _, uid := range [2]uint32{s.uid, c.moved[s.seq]} {
		if q := c.s.e.byUID[uid]; q != nil {
			if m := q.messages.get(s.seq); m != nil {
				return m
			}
		}
	}
	if m, ok := c.extras[s.seq]; ok {
		return &m
	}
	return nil
}

// leave ends a segment: it tells of its holes and of messages in it that were
// not found, whole, where they should be.
func (c *check) leave() error {
	id := c.segment
	if id == 0 {
		return nil
	}
	var lost []lostEntry
	if len(c.verified) < c.live[id] {
		lost = c.unread(id)
	}
	slices.SortStableFunc(c.holes, func(a, b seglog.Hole) int { return cmp.Compare(a.Off, b.Off) })
	for _, h := range c.holes {
		for len(lost) > 0 && lost[0].off < h.Off {
			if err := c.tellLost(id, lost[0]); err != nil {
				return err
			}
			lost = lost[1:]
		}
		n := 0
		for n < len(lost) && lost[n].off < h.End {
			n++
		}
		if err := c.tellHole(id, h, lost[:n]); err != nil {
			return err
		}
		lost = lost[n:]
	}
	for _, l := range lost {
		if err := c.tellLost(id, l); err != nil {
			return err
		}
	}
	c.segment, c.verified, c.holes = 0, c.verified[:0], c.holes[:0]
	return nil
}

// tellLost tells of a message that is not where it should be, though what is
// there may be whole.
func (c *check) tellLost(id uint32, l lostEntry) error {
	return c.tell(Damage{File: seglog.FileName(id), Offset: int64(l.off), Reason: l.reason, Cost: "a message is lost", Lost: []Lost{l.Lost}})
}

// lostEntry is a message that cannot be read.
type lostEntry struct {
	Lost
	off    uint32
	reason string
}

// unread returns the messages of a segment that cannot be read, in order of
// place, and takes them out of the memory.
func (c *check) unread(id uint32) (lost []lostEntry) {
	try := func(q *state, m *entry) {
		if m.pos.Segment() != id {
			return
		}
		if _, ok := slices.BinarySearch(c.verified, m.pos.Offset()); ok {
			return
		}
		_, _, err := c.read.message(m)
		if err == nil {
			return
		}
		var damage *CorruptError
		errors.As(err, &damage)
		lost = append(lost, lostEntry{c.s.lostMessage(c.read, q, m), m.pos.Offset(), damage.Reason})
	}
	for _, q := range c.s.e.byUID {
		q.messages.from(0, func(m *entry) bool { try(q, m); return true })
	}
	for i := range c.s.extra {
		try(c.s.extra[i].q, &c.s.extra[i].m)
	}
	for _, l := range lost {
		c.s.forget(l.Number)
	}
	slices.SortFunc(lost, func(a, b lostEntry) int { return cmp.Compare(a.off, b.off) })
	return lost
}

// lostMessage describes a message that cannot be read by what is known of it.
func (s *survey) lostMessage(read *recordReader, q *state, m *entry) Lost {
	l := Lost{Queue: q.name, Number: m.seq(), Sent: fromMilli(int64(m.sent) * 1000)}
	if x, ok := read.guess(m); ok && s.read.headed {
		l.ID = s.e.id(m.seq(), x.sent)
	}
	return l
}

// forget takes a message out of the memory.
func (s *survey) forget(seq uint64) {
	for _, q := range s.e.byUID {
		if q.messages.get(seq) != nil {
			s.e.remove(q, seq)
		}
	}
	s.extra = slices.DeleteFunc(s.extra, func(x extra) bool { return x.m.seq() == seq })
}

// tellHole reports a hole with the messages that it cost.
func (c *check) tellHole(id uint32, h seglog.Hole, lost []lostEntry) error {
	d := Damage{File: seglog.FileName(id), Offset: int64(h.Off), Bytes: int64(h.End - h.Off), Reason: h.Reason}
	if h.End == seglog.Unknown {
		d.Bytes = 0
	}
	for _, l := range lost {
		d.Lost = append(d.Lost, l.Lost)
	}
	in := c.holesIn(id, h)
	for _, x := range in {
		seqs := c.missing[x]
		slices.Sort(seqs)
		for _, seq := range seqs {
			l := Lost{Number: seq}
			if q := c.s.e.byUID[c.s.log.missing[seq].uid]; q != nil {
				l.Queue = q.name
			}
			d.Lost = append(d.Lost, l)
		}
	}
	d.Cost = holeCost(in, len(d.Lost))
	return c.tell(d)
}

// holesIn returns the holes that replay met within one of the segment: it began
// behind the segment's start, so its hole may be the shorter one.
func (c *check) holesIn(id uint32, h seglog.Hole) []*lostHole {
	order := func(x *lostHole, p seglog.Pos) int { return cmp.Compare(x.pos, p) }
	list := c.s.log.holes
	i, _ := slices.BinarySearchFunc(list, seglog.At(id, h.Off), order)
	j, _ := slices.BinarySearchFunc(list, seglog.At(id, max(h.End, h.Off+1)), order)
	return list[i:j]
}

// rest tells of segments that are not there.
func (c *check) rest() error {
	for id := range c.live {
		if !c.visited[id] && c.absent[id] == "" {
			c.absent[id] = "segment is missing"
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.absent)) {
		c.verified = nil
		lost := c.unread(id)
		if err := c.tellHole(id, seglog.Hole{Reason: c.absent[id]}, lost); err != nil {
			return err
		}
	}
	return nil
}
