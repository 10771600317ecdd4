package diskqueue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

// recall reads all of the log for the messages and queues that stood in lost
// blocks of the checkpoint. What it finds beyond those the checkpoint knew is
// what was lost, and what had been deleted before; where the numbers show that
// it is no more than was lost, nothing of it is doubtful.
func (s *survey) recall() error {
	e := newEngineMemory(s.format)
	for uid, q := range s.e.byUID {
		if !s.log.unnamed[uid] {
			known := newState(uid, q.name, &e.flights)
			known.attrs = q.attrs
			e.addQueue(known)
		}
	}
	r := newReplayer(s, e)
	r.lossy = true
	ids, err := seglog.Files(s.fsys)
	if err != nil {
		return err
	}
	if _, err := r.walk(seglog.First(ids), s.read.from.Segment()); err != nil {
		return err
	}
	s.adopt(r)
	if s.read.lost == 0 {
		return nil
	}
	for uid, q := range e.byUID {
		q.messages.from(0, func(m *entry) bool {
			if m.seq() >= s.read.nextSeq {
				return false
			}
			if !s.has(uid, m.seq()) {
				s.extra = append(s.extra, extra{s.e.byUID[uid], describe(e, m)})
			}
			return true
		})
	}
	exact := int64(len(s.extra)) == s.read.lost && s.log.strays == 0
	for i := range s.extra {
		s.extra[i].doubtful = !exact
	}
	slices.SortFunc(s.extra, func(a, b extra) int {
		return cmp.Or(cmp.Compare(a.q.uid, b.q.uid), cmp.Compare(a.m.seq(), b.m.seq()))
	})
	return nil
}

// adopt takes over what the log knows of queues that the checkpoint lost.
func (s *survey) adopt(r *replayer) {
	for uid, q := range r.e.byUID {
		mine := s.e.byUID[uid]
		if mine == nil {
			if q.messages.n == 0 && !r.named[uid] {
				continue
			}
			mine = s.place(s.e, uid)
			s.log.unnamed[uid] = true
		}
		if s.log.unnamed[uid] && r.named[uid] && s.e.queues[q.name] == nil {
			s.rename(s.e, mine, q.name)
			mine.attrs, mine.tags, mine.created, mine.modified = q.attrs, q.tags, q.created, q.modified
			delete(s.log.unnamed, uid)
		}
	}
}

// rename leaves q.fifo as it is: its messages stand in lines by that.
func (s *survey) rename(e *Engine, q *state, name string) {
	delete(e.queues, q.name)
	q.name = name
	e.queues[name] = q
}

// has reports whether the memory knows a message, most likely in the queue of
// that uid.
func (s *survey) has(uid uint32, seq uint64) bool {
	if q := s.e.byUID[uid]; q != nil && q.messages.get(seq) != nil {
		return true
	}
	for _, q := range s.e.byUID {
		if q.messages.get(seq) != nil {
			return true
		}
	}
	return false
}

// nameUnnamed gives queues whose names were lost the suffix of FIFO queues where
// a message shows that they are: only messages of those have a deduplication id.
func (s *survey) nameUnnamed() {
	read := newRecordReader(s.fsys)
	defer read.close()
	for uid := range s.log.unnamed {
		q := s.e.byUID[uid]
		if q == nil {
			continue // was deleted later
		}
		first := q.messages.first()
		if i := slices.IndexFunc(s.extra, func(x extra) bool { return x.q == q }); first == nil && i >= 0 {
			first = &s.extra[i].m
		}
		if first == nil {
			continue
		}
		if _, m, err := read.message(first); err == nil && m.DedupID != "" {
			s.rename(s.e, q, q.name+".fifo")
			q.attrs.FIFO = true
		}
	}
}

// costsNothing of damage without which nothing would be lost but the store's
// opening.
const costsNothing = "no message is lost by it, but the store does not open"

// weighIndex says what damage to the checkpoint cost.
func (s *survey) weighIndex() {
	var cost []string
	doubtful := 0
	for _, x := range s.extra {
		if x.doubtful {
			doubtful++
		}
	}
	switch {
	case !s.read.headed:
		cost = append(cost, "where each message is was read off the log instead: receive counts may be lower, and messages that were deleted may be back")
		if s.log.doubtBelow > 0 {
			cost = append(cost, "those that may be are marked doubtful")
		}
	case !s.read.lostBlocks:
		cost = append(cost, costsNothing)
	case s.read.lost == 0:
		cost = append(cost, "no message was listed there; what was is read off the log instead")
	case doubtful == 0:
		cost = append(cost, fmt.Sprintf("the %d messages that were listed there were found in the log", len(s.extra)))
	case s.read.lost > 0:
		cost = append(cost, fmt.Sprintf("%d messages were listed there; %d found in the log may be these, or were deleted before: they are marked doubtful", s.read.lost, doubtful))
	default:
		cost = append(cost, fmt.Sprintf("%d messages found in the log may have been listed there, or were deleted before: they are marked doubtful", doubtful))
	}
	for uid := range s.log.unnamed {
		if q := s.e.byUID[uid]; q != nil {
			cost = append(cost, fmt.Sprintf("the name and the attributes of a queue are lost; it is called %s", q.name))
		}
	}
	for i := range s.damage {
		if d := &s.damage[i]; d.File == checkpointName {
			d.Cost = strings.Join(cost, "; ")
		}
	}
}
