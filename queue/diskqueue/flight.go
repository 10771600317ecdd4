package diskqueue

// flight is what a message has beside its entry once it was delayed, received
// or moved, and from the start if it has a group: 72 bytes, no pointer. Indexes
// of flights are given out by flights and start at 1.
type flight struct {
	seq       uint64
	visibleAt int64  // Unix milliseconds
	token     uint64 // of the last receive; 0: none in this queue
	first     int64  // Unix milliseconds of the first receive; 0: none
	receives  uint32 // in all queues
	before    uint32 // of these, before it came to this queue
	source    uint32 // index of the name of the queue it was moved from; 0: none
	state     flightState
	given     bool   // in flight, but whoever received it last has given it back; not on the disk
	place     int32  // in the queue's heap of hidden messages
	prev      uint32 // neighbours in the line it stands in
	next      uint32
	group     uint32 // index in the queue's groups; 0: none
	since     uint32 // Unix seconds of the last receive; until then the milliseconds of sending after entry.sent
}

type flightState uint8

const (
	delayed  flightState = iota + 1 // hidden since it was sent
	inFlight                        // hidden since it was received
	due                             // visible again
	waiting                         // in a group, visible since it was sent
)

// flights is a slab, so that the collector has nothing to follow.
type flights struct {
	blocks []*[flightBlock]flight
	free   []uint32
	used   uint32
}

const flightBlock = 512

func (s *flights) get(i uint32) *flight { return &s.blocks[i/flightBlock][i%flightBlock] }

func (s *flights) alloc(seq uint64) (uint32, *flight) {
	var i uint32
	if k := len(s.free); k > 0 {
		i, s.free = s.free[k-1], s.free[:k-1]
	} else {
		s.used++
		i = s.used
		if int(i/flightBlock) >= len(s.blocks) {
			s.blocks = append(s.blocks, new([flightBlock]flight))
		}
	}
	f := s.get(i)
	*f = flight{seq: seq}
	return i, f
}

func (s *flights) release(i uint32) { s.free = append(s.free, i) }

// hidden is a heap of flights by the time they become visible.
type hidden struct {
	s *flights
	h []uint32
}

func (h *hidden) top() *flight {
	if len(h.h) == 0 {
		return nil
	}
	return h.s.get(h.h[0])
}

func (h *hidden) push(i uint32) {
	h.h = append(h.h, i)
	h.s.get(i).place = int32(len(h.h) - 1)
	h.up(len(h.h) - 1)
}

func (h *hidden) remove(k int) {
	last := len(h.h) - 1
	h.swap(k, last)
	h.h = h.h[:last]
	if k < last {
		h.fix(k)
	}
}

func (h *hidden) fix(k int) {
	h.down(k)
	h.up(k)
}

func (h *hidden) less(a, b int) bool {
	return h.s.get(h.h[a]).visibleAt < h.s.get(h.h[b]).visibleAt
}

func (h *hidden) swap(a, b int) {
	h.h[a], h.h[b] = h.h[b], h.h[a]
	h.s.get(h.h[a]).place = int32(a)
	h.s.get(h.h[b]).place = int32(b)
}

func (h *hidden) up(k int) {
	for k > 0 && h.less(k, (k-1)/2) {
		h.swap(k, (k-1)/2)
		k = (k - 1) / 2
	}
}

func (h *hidden) down(k int) {
	for {
		c := 2*k + 1
		if c >= len(h.h) {
			return
		}
		if c+1 < len(h.h) && h.less(c+1, c) {
			c++
		}
		if !h.less(c, k) {
			return
		}
		h.swap(c, k)
		k = c
	}
}

// line is visible messages, one behind the other.
type line struct {
	s          *flights
	head, tail uint32
}

func (l *line) push(i uint32) {
	f := l.s.get(i)
	f.prev, f.next = l.tail, 0
	if l.tail == 0 {
		l.head = i
	} else {
		l.s.get(l.tail).next = i
	}
	l.tail = i
}

// insert puts a message in its place by seq. It is looked for from both ends:
// what is new belongs at the tail, what came back near the head.
func (l *line) insert(i uint32) {
	f := l.s.get(i)
	before, after := l.tail, uint32(0) // the neighbours to be
	for head := l.head; before != 0 && l.s.get(before).seq > f.seq; {
		if l.s.get(head).seq > f.seq {
			before, after = l.s.get(head).prev, head
			break
		}
		head = l.s.get(head).next
		before, after = l.s.get(before).prev, before
	}
	f.prev, f.next = before, after
	if before == 0 {
		l.head = i
	} else {
		l.s.get(before).next = i
	}
	if after == 0 {
		l.tail = i
	} else {
		l.s.get(after).prev = i
	}
}

func (l *line) remove(i uint32) {
	f := l.s.get(i)
	if f.prev == 0 {
		l.head = f.next
	} else {
		l.s.get(f.prev).next = f.next
	}
	if f.next == 0 {
		l.tail = f.prev
	} else {
		l.s.get(f.next).prev = f.prev
	}
}
