package respcache

// A queue is a list of objects, the newest at the front.
type queue struct {
	front, back *object
	bytes       int64
	count       int
}

func (q *queue) push(o *object) {
	o.queue, o.before, o.after = q, nil, q.front
	if q.front != nil {
		q.front.before = o
	} else {
		q.back = o
	}
	q.front = o
	q.bytes += o.cost
	q.count++
}

func (q *queue) remove(o *object) {
	if o.before != nil {
		o.before.after = o.after
	} else {
		q.front = o.after
	}
	if o.after != nil {
		o.after.before = o.before
	} else {
		q.back = o.before
	}
	o.queue, o.before, o.after = nil, nil, nil
	q.bytes -= o.cost
	q.count--
}

// An eviction decides which objects leave memory, by S3-FIFO (Yang and others,
// SOSP 2023): what is new waits in a small queue, and what is asked for again
// there goes into the main one; what is not leaves early, so that a crawler's
// single requests do not drive out what everybody asks for. A use costs one
// atomic addition and no lock. Sizes count in bytes.
type eviction struct {
	small, main queue
	shell       queue // of bodies that are on disk only: what is kept of them here
	ghosts      ghosts
}

// smallShare of the bytes is the small queue's.
const smallShare = 10

func (e *eviction) bytes() int64 { return e.small.bytes + e.main.bytes + e.shell.bytes }

// add takes in a new object.
func (e *eviction) add(o *object, id uint64) {
	if e.ghosts.take(id) {
		e.main.push(o)
		return
	}
	e.small.push(o)
}

// victim takes out the object that is to leave first; nil if there is none.
func (e *eviction) victim(limit int64, id func(*object) uint64) *object {
	for e.small.count+e.main.count > 0 {
		if e.small.count > 0 && (e.small.bytes > limit/smallShare || e.main.count == 0) {
			o := e.small.back
			e.small.remove(o)
			if o.uses.Load() > 0 {
				o.uses.Store(0)
				e.main.push(o)
				continue
			}
			e.ghosts.add(id(o), e.main.count+e.small.count)
			return o
		}
		o := e.main.back
		e.main.remove(o)
		if n := o.uses.Load(); n > 0 {
			o.uses.Store(n - 1)
			e.main.push(o)
			continue
		}
		return o
	}
	if o := e.shell.back; o != nil {
		e.shell.remove(o)
		return o
	}
	return nil
}

// used notes a use. Losing one in a race is no loss.
func (o *object) used() {
	if n := o.uses.Load(); n < 3 {
		o.uses.Store(n + 1)
	}
}

// ghosts remembers what left the small queue lately: as many as there are
// objects, and at least 1,000.
type ghosts struct {
	ids  map[uint64]int // how often it stands in ring
	ring []uint64
}

func (g *ghosts) add(id uint64, objects int) {
	if g.ids == nil {
		g.ids = map[uint64]int{}
	}
	g.ids[id]++
	g.ring = append(g.ring, id)
	if over := len(g.ring) - max(1000, objects); over > 0 {
		for _, old := range g.ring[:over] {
			g.drop(old)
		}
		g.ring = g.ring[over:] // append copies what is left when it grows
	}
}

func (g *ghosts) drop(id uint64) {
	if n := g.ids[id]; n > 1 {
		g.ids[id] = n - 1
	} else {
		delete(g.ids, id)
	}
}

// take reports whether the id is remembered, and forgets it.
func (g *ghosts) take(id uint64) bool {
	if g.ids[id] == 0 {
		return false
	}
	delete(g.ids, id)
	return true
}
