package task

import (
	"runtime"
	"slices"
	"sync"
)

// batcher gathers items into calls of at most ten. It never waits for
// company: a lone item is called for at once, and what arrives while all lanes
// are under way makes the next batches. So a single task is not delayed and a
// busy worker needs a tenth of the requests.
type batcher[T any] struct {
	call  func([]T)
	lanes int
	eager int // lanes that open for a lone item; the others open for a full batch
	limit int // items waiting, beyond which add blocks

	mu      sync.Mutex
	changed sync.Cond
	waiting []T
	active  int
}

// settleLanes is how many calls of one kind a worker has under way.
const settleLanes = 4

func newBatcher[T any](call func([]T), lanes, limit int) *batcher[T] {
	b := &batcher[T]{call: call, lanes: lanes, eager: lanes, limit: limit}
	b.changed.L = &b.mu
	return b
}

// add queues one item, after waiting while too many are.
func (b *batcher[T]) add(item T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) >= b.limit {
		b.changed.Wait()
	}
	b.waiting = append(b.waiting, item)
	if b.active < b.eager || b.active < b.lanes && len(b.waiting) >= batchSize {
		b.active++
		go b.lane() // ends when nothing waits; wait waits for it
	}
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
	for len(b.waiting) > 0 {
		n := min(batchSize, len(b.waiting))
		batch := slices.Clone(b.waiting[:n])
		clear(b.waiting[:n])
		b.waiting = b.waiting[n:]
		b.changed.Broadcast()
		b.mu.Unlock()
		b.call(batch)
		runtime.Gosched() // to those the call was for, which may add the next
		b.mu.Lock()
	}
	b.active--
	b.changed.Broadcast()
}

// wait blocks until everything added has been called for.
func (b *batcher[T]) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.active > 0 {
		b.changed.Wait()
	}
}
