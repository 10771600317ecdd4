package task

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// batcher gathers items into calls of at most a size, ten by default. Unless it lingers it does
// not wait for company: a lone item is called for at once, and what arrives
// while all lanes are under way makes the next batches. So a single task is not
// delayed and a busy worker needs a tenth of the requests.
type batcher[T any] struct {
	call   func([]T)
	size   func() int // the most items of a call
	lanes  int
	eager  int           // lanes that open for a lone item; the others open for a full batch
	shares bool          // a lone item waits while several are under way in one call
	limit  int           // items waiting, beyond which add blocks
	linger time.Duration // how long a lone item waits for others; 0: not at all

	mu      sync.Mutex
	changed sync.Cond
	waiting []T
	active  int         // lanes
	under   int         // items of theirs
	timer   *time.Timer // ends the linger; nil before the first
	armed   bool        // it runs
	late    bool        // what waits has waited long enough
	ending  bool        // nothing waits for company any more
}

// settleLanes is how many calls of one kind a worker has under way.
const settleLanes = 4

// deleteLinger is how long an acknowledgement waits for others, 5 ms: nobody
// waits for it, each is a request, which AWS is paid for, and each takes a sync
// of the disk from a message that somebody does wait for. A worker that is
// killed within it has its tasks run again, as one that is killed before the
// acknowledgement arrived.
const deleteLinger = 5 * time.Millisecond

func newBatcher[T any](call func([]T), lanes, limit int) *batcher[T] {
	b := &batcher[T]{call: call, size: ten, lanes: lanes, eager: lanes, limit: limit}
	b.changed.L = &b.mu
	return b
}

func ten() int { return batchSize }

// add queues one item, after waiting while too many are.
func (b *batcher[T]) add(item T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) >= b.limit {
		b.changed.Wait()
	}
	b.waiting = append(b.waiting, item)
	b.open()
}

// enter opens a lane for a lone call, which the caller makes himself and then
// leaves; false where the call is to wait for others. It saves a caller who
// waits anyway two switches between goroutines.
func (b *batcher[T]) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 || !b.eagerly() {
		return false
	}
	b.active++
	b.under++
	return true
}

// leave ends the lane of enter.
func (b *batcher[T]) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active--
	b.under--
	b.open()
	b.changed.Broadcast()
}

// open opens a lane if one is to be, or sees to it that one will be; mu is held.
func (b *batcher[T]) open() {
	switch n := len(b.waiting); {
	case b.opens():
		b.active++
		go b.lane() // ends when it is not to go on; wait waits for it
	case n > 0 && b.linger > 0 && !b.armed && !b.late:
		b.armed = true
		if b.timer == nil {
			b.timer = time.AfterFunc(b.linger, b.lingered)
		} else {
			b.timer.Reset(b.linger)
		}
	}
}

// opens reports whether there is to be one lane more; mu is held.
func (b *batcher[T]) opens() bool {
	if len(b.waiting) >= b.size() && b.active < b.lanes {
		return true
	}
	return b.ready() && b.eagerly()
}

// eagerly reports whether a lane may open for a lone item; mu is held.
func (b *batcher[T]) eagerly() bool {
	return b.active < b.eager && (!b.shares || b.under <= b.active)
}

// ready reports whether what waits may be called for; mu is held.
func (b *batcher[T]) ready() bool {
	n := len(b.waiting)
	return n >= b.size() || n > 0 && (b.linger == 0 || b.late || b.ending)
}

func (b *batcher[T]) lingered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed, b.late = false, len(b.waiting) > 0
	b.open()
}

// offer queues one item, unless too many wait already.
func (b *batcher[T]) offer(item T) {
	b.mu.Lock()
	full := len(b.waiting) >= b.limit
	b.mu.Unlock()
	if !full { // by now it may be, by as many as offer at once: then they wait a little
		b.add(item)
	}
}

func (b *batcher[T]) lane() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if b.ready() { // else another lane was faster
			b.one()
		}
		b.active--
		if !b.opens() {
			break
		}
		b.active++
	}
	b.open()
	b.changed.Broadcast()
}

// one makes one call; mu is held but for that.
func (b *batcher[T]) one() {
	n := min(b.size(), len(b.waiting))
	batch := slices.Clone(b.waiting[:n])
	clear(b.waiting[:n])
	b.waiting = b.waiting[n:]
	b.under += n
	b.late = false
	b.changed.Broadcast()
	b.mu.Unlock()
	b.call(batch)
	runtime.Gosched() // to those the call was for, which may add the next
	b.mu.Lock()
	b.under -= n
}

// wait blocks until everything added has been called for. From then on nothing
// lingers.
func (b *batcher[T]) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ending = true
	if b.timer != nil {
		b.timer.Stop()
	}
	b.open()
	for b.active > 0 {
		b.changed.Wait()
	}
}
