package diskqueue

import (
	"slices"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
)

// A group is the messages of one MessageGroupId in one queue.
//
// On a FIFO queue its visible messages stand in one line in the order they were
// sent. While one is in flight none sent after it is handed out, except by the
// receive that has it. One sent before it is: what was given back, or timed out,
// comes again though what followed it is still in flight, as on SQS. Groups take
// turns: one that was handed out goes behind those that wait for their turn.
//
// On a standard queue a group is a tenant. Groups that have at least noisyFrom
// messages in flight, and more than a tenth of all, are noisy: their messages
// come after those of the others (SQS's fair queues). Within a group messages
// that came back take turns with fresh ones, as in a queue without groups.
type group struct {
	name     string
	index    uint32 // in groups.list; flights name their group by it
	fresh    line   // in the order of sending
	due      line   // standard queues: came back, in the order they did
	dueTurn  bool   // a due message is preferred
	messages int    // in whatever state
	inFlight int
	held     []uint64 // FIFO queues: seqs of those in flight, ascending; ten or so
	key      uint64   // while in ready: seq of the oldest message in its lines; on FIFO queues its turn
	place    int      // in ready; -1: not there
	noisy    bool     // in groups.noisy
}

// noisyFrom and noisyShare: see the developer guide's page on fair queues.
const (
	noisyFrom  = 30
	noisyShare = 10 // one in ten
)

// groups of a queue. The zero value has none.
type groups struct {
	byName map[string]*group
	list   []*group // by index; [0] is none
	free   []uint32
	// ready is a heap by key of the groups that can hand out a message. A group
	// that is found to be noisy waits in noisy; at most nine are at a time.
	ready []*group
	noisy []*group
	turns uint64 // given out so far
}

// join returns the group of that name for one more message; 0 for "".
func (g *groups) join(name string, s *flights) uint32 {
	if name == "" {
		return 0
	}
	x := g.byName[name]
	if x == nil {
		if g.byName == nil {
			g.byName, g.list = map[string]*group{}, []*group{nil}
		}
		x = &group{name: name, fresh: line{s: s}, due: line{s: s}, place: -1}
		if k := len(g.free); k > 0 {
			x.index, g.free = g.free[k-1], g.free[:k-1]
			g.list[x.index] = x
		} else {
			x.index = uint32(len(g.list))
			g.list = append(g.list, x)
		}
		g.byName[name] = x
	}
	x.messages++
	return x.index
}

// part takes one message off the group's count; the message is in no line and
// not in flight any more.
func (g *groups) part(i uint32) {
	x := g.list[i]
	if x.messages--; x.messages == 0 {
		delete(g.byName, x.name)
		g.list[i] = nil
		g.free = append(g.free, i)
	}
}

// name of a group; "" for 0.
func (g *groups) name(i uint32) string {
	if i == 0 {
		return ""
	}
	return g.list[i].name
}

// oldest returns the least seq in the group's lines; 0: there is none.
func (x *group) oldest() uint64 {
	var seq uint64
	if x.fresh.head != 0 {
		seq = x.fresh.s.get(x.fresh.head).seq
	}
	if x.due.head != 0 {
		if d := x.due.s.get(x.due.head).seq; seq == 0 || d < seq {
			seq = d
		}
	}
	return seq
}

// firstHeld returns the least seq in flight in a group of a FIFO queue; none is
// as high as can be.
func (x *group) firstHeld() uint64 {
	if len(x.held) == 0 {
		return maxSeq + 1
	}
	return x.held[0]
}

// hold takes down that a message of a FIFO queue is in flight, or no longer.
func (x *group) hold(seq uint64, on bool) {
	i, there := slices.BinarySearch(x.held, seq)
	switch {
	case on && !there:
		x.held = slices.Insert(x.held, i, seq)
	case !on && there:
		x.held = slices.Delete(x.held, i, i+1)
	}
}

// A streak is messages of one group of a FIFO queue that a receive takes one
// after the other. It ends before the first that was in flight already.
type streak struct {
	of    *group
	until uint64 // seq
}

// regroup puts a group where it belongs after its lines or its messages in
// flight changed.
func (q *state) regroup(x *group) {
	seq := x.oldest()
	if seq > x.firstHeld() {
		seq = 0
	}
	switch {
	case seq == 0 && x.place >= 0:
		q.groups.removeReady(x)
	case seq == 0 && x.noisy:
		x.noisy = false
		q.groups.noisy = slices.DeleteFunc(q.groups.noisy, func(y *group) bool { return y == x })
	case seq == 0 || x.noisy:
	case x.place < 0:
		x.key = seq
		if q.fifo {
			q.groups.turns++
			x.key = q.groups.turns
		}
		q.groups.pushReady(x)
	case x.key != seq && !q.fifo:
		x.key = seq
		q.groups.fix(x.place)
	}
}

// line puts a visible message in its group's line.
func (q *state) line(i uint32, f *flight) {
	x := q.groups.list[f.group]
	if f.state == due && !q.fifo {
		x.due.push(i)
	} else {
		x.fresh.insert(i)
	}
	q.regroup(x)
}

// unline takes it out again.
func (q *state) unline(i uint32, f *flight) {
	x := q.groups.list[f.group]
	if f.state == due && !q.fifo {
		x.due.remove(i)
	} else {
		x.fresh.remove(i)
	}
	q.regroup(x)
}

// isNoisy says whether a tenant takes more than its share.
func (q *state) isNoisy(x *group) bool {
	return !q.fifo && x.inFlight >= noisyFrom && x.inFlight*noisyShare > q.inFlight
}

// quiet returns the group with the oldest message among those that are not
// noisy, or nil. Being noisy depends on the other groups too, so it is looked at
// here and not where their counts change.
func (q *state) quiet() *group {
	g := &q.groups
	for i := 0; i < len(g.noisy); {
		x := g.noisy[i]
		if q.isNoisy(x) {
			i++
			continue
		}
		g.noisy = slices.Delete(g.noisy, i, i+1)
		x.noisy = false
		q.regroup(x)
	}
	for len(g.ready) > 0 {
		x := g.ready[0]
		if !q.isNoisy(x) {
			return x
		}
		g.removeReady(x)
		x.noisy = true
		g.noisy = append(g.noisy, x)
	}
	return nil
}

// pick returns the message a group would hand out, or nil while it is not on the
// disk. Only fresh messages may not be, and on a standard queue all groups behind
// one in ready whose oldest is not have none that is.
func (q *state) pick(x *group, synced seglog.Pos) *entry {
	at := func(l *line) *entry {
		if l.head == 0 {
			return nil
		}
		if m := q.messages.get(l.s.get(l.head).seq); m.pos < synced {
			return m
		}
		return nil
	}
	if x.dueTurn {
		if m := at(&x.due); m != nil {
			return m
		}
	}
	if m := at(&x.fresh); m != nil {
		return m
	}
	return at(&x.due)
}

func (g *groups) pushReady(x *group) {
	x.place = len(g.ready)
	g.ready = append(g.ready, x)
	g.fix(x.place)
}

func (g *groups) removeReady(x *group) {
	k, last := x.place, len(g.ready)-1
	g.swap(k, last)
	g.ready[last] = nil
	g.ready = g.ready[:last]
	x.place = -1
	if k < last {
		g.fix(k)
	}
}

func (g *groups) swap(a, b int) {
	r := g.ready
	r[a], r[b] = r[b], r[a]
	r[a].place, r[b].place = a, b
}

func (g *groups) fix(k int) {
	r := g.ready
	for {
		c := 2*k + 1
		if c+1 < len(r) && r[c+1].key < r[c].key {
			c++
		}
		if c >= len(r) || r[c].key >= r[k].key {
			break
		}
		g.swap(c, k)
		k = c
	}
	for k > 0 && r[k].key < r[(k-1)/2].key {
		g.swap(k, (k-1)/2)
		k = (k - 1) / 2
	}
}
