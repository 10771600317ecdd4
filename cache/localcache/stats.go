package localcache

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// counts of events. Hits and misses are of reads alone, so they are counted here
// and not by otter, which counts its own look-ups in writes as well.
type counts struct {
	hits, misses, evictions, stores, flushes atomic.Uint64
}

// deleted is told by otter of every entry that goes.
func (c *counts) deleted(ev otter.DeletionEvent[string, *item]) {
	if ev.Cause == otter.CauseOverflow {
		c.evictions.Add(1)
	}
}

// Stats returns counts since the engine started or ResetStats.
func (e *Engine) Stats(context.Context) (driver.Stats, error) {
	if e.closed.Load() {
		return driver.Stats{}, driver.ErrClosed
	}
	e.items.CleanUp() // else writes of the last moments are not weighed yet
	return driver.Stats{
		Items:     uint64(max(0, e.items.EstimatedSize())),
		Bytes:     e.items.WeightedSize(),
		MaxBytes:  uint64(e.maxBytes),
		Hits:      e.counts.hits.Load(),
		Misses:    e.counts.misses.Load(),
		Stores:    e.counts.stores.Load(),
		Evictions: e.counts.evictions.Load(),
		Flushes:   e.counts.flushes.Load(),
	}, nil
}

// ResetStats sets the counts of events to 0; what is held is counted still.
func (e *Engine) ResetStats() {
	for _, n := range []*atomic.Uint64{&e.counts.hits, &e.counts.misses, &e.counts.stores, &e.counts.evictions, &e.counts.flushes} {
		n.Store(0)
	}
}

// overhead is what an entry holds beside key and value: the item, otter's node,
// its slot in the hash table and in the eviction queues. Measured, see
// TestWeightIsMemory.
const overhead = 160

// weight is the memory an entry holds. A slice's capacity is what the allocator
// gave; a key's is not to be had, it is rounded as small ones are.
func weight(key string, it *item) uint32 {
	return uint32(overhead + (len(key)+15)&^15 + cap(it.value))
}

// logger passes otter's warnings on.
type logger struct{ *slog.Logger }

func (l logger) Warn(ctx context.Context, msg string, err error) {
	l.WarnContext(ctx, "cache engine: "+msg, "error", err)
}

func (l logger) Error(ctx context.Context, msg string, err error) {
	l.ErrorContext(ctx, "cache engine: "+msg, "error", err)
}
