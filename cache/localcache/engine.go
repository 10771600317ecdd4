// Package localcache is the cache engine of this process: values in memory,
// bounded by the bytes they hold, each with its own time to live. Eviction is
// W-TinyLFU (package otter), which keeps what is read often over what was
// merely written last: in a full cache a value nobody has read yet may be
// evicted soon. Nothing is durable.
package localcache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// Options of an Engine.
type Options struct {
	// MaxBytes bounds the memory that values, keys and bookkeeping hold; it may
	// be exceeded for the moments an eviction takes. Default 64 MiB, as
	// memcached, or twice MaxValue if that is more. At least 1 MiB and twice MaxValue.
	MaxBytes int64
	// MaxValue is the largest value in bytes, 1–1 GiB. Default 1 MiB, or half of
	// MaxBytes if that is less.
	MaxValue int
	// DefaultTTL is the time to live of a value stored with 0. Default 0: never
	// expires, as memcached.
	DefaultTTL time.Duration
	// Log; nil discards.
	Log *slog.Logger
}

// Engine implements driver.Cache.
type Engine struct {
	items      *otter.Cache[string, *item]
	maxBytes   int64
	maxValue   int
	defaultTTL time.Duration
	flusher    flusher
	closed     atomic.Bool
	tokens     atomic.Uint64 // the last CAS token given out
	counts     counts
}

var _ driver.Cache = (*Engine)(nil)

// item is a state of a value. It never changes: a write puts another in its
// place, so readers need no lock and may use the bytes as long as they like.
type item struct {
	value []byte
	token uint64
	flags uint32
	// ttl is what the write sets the expiry to from now: never, or keep.
	ttl time.Duration
}

const (
	keep  time.Duration = 0 // the expiry of the item that is replaced stays
	never time.Duration = math.MaxInt64
)

// New makes an empty engine.
func New(o Options) (*Engine, error) {
	if o.MaxValue == 0 {
		o.MaxValue = 1 << 20
		if o.MaxBytes > 0 {
			o.MaxValue = int(min(1<<20, max(1, o.MaxBytes/2)))
		}
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = max(64<<20, 2*int64(o.MaxValue))
	}
	switch {
	case o.MaxValue < 1 || o.MaxValue > 1<<30:
		return nil, fmt.Errorf("localcache: MaxValue %d is not in 1–%d", o.MaxValue, 1<<30)
	case o.MaxBytes < 1<<20 || o.MaxBytes < 2*int64(o.MaxValue):
		return nil, fmt.Errorf("localcache: MaxBytes %d is below 1 MiB or twice MaxValue (%d)", o.MaxBytes, o.MaxValue)
	case o.DefaultTTL < 0:
		return nil, fmt.Errorf("localcache: DefaultTTL %v is negative", o.DefaultTTL)
	}
	e := &Engine{maxBytes: o.MaxBytes, maxValue: o.MaxValue, defaultTTL: o.DefaultTTL}
	if o.DefaultTTL == 0 {
		e.defaultTTL = never
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	items, err := otter.New(&otter.Options[string, *item]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       weight,
		// 0 leaves the deadline where it is. This built-in calculator, unlike one
		// of our own, is not asked on every read.
		ExpiryCalculator: otter.ExpiryWritingFunc(func(en otter.Entry[string, *item]) time.Duration { return en.Value.ttl }),
		OnAtomicDeletion: e.counts.deleted,
		Logger:           logger{o.Log},
	})
	if err != nil {
		return nil, fmt.Errorf("localcache: %w", err)
	}
	e.items = items
	e.flusher.flush = items.InvalidateAll
	return e, nil
}

// Get returns what the engine holds, without a copy; the caller only reads it.
// It allocates nothing and keeps nothing of key.
func (e *Engine) Get(_ context.Context, key string) (driver.Item, error) {
	if e.closed.Load() {
		return driver.Item{}, driver.ErrClosed
	}
	it, ok := e.items.GetIfPresent(key)
	if !ok {
		e.counts.misses.Add(1)
		return driver.Item{}, driver.ErrNotFound
	}
	e.counts.hits.Add(1)
	return driver.Item{Value: it.value, Flags: it.flags, CAS: it.token}, nil
}

// GetMulti returns the values that are there.
func (e *Engine) GetMulti(ctx context.Context, keys []string) (map[string]driver.Item, error) {
	found := make(map[string]driver.Item, len(keys))
	for _, key := range keys {
		it, err := e.Get(ctx, key)
		switch {
		case err == nil:
			found[strings.Clone(key)] = it
		case !errors.Is(err, driver.ErrNotFound):
			return nil, err
		}
	}
	return found, nil
}

// Store writes as op says.
func (e *Engine) Store(_ context.Context, op driver.Op, key string, in driver.Item, ttl time.Duration) error {
	if e.closed.Load() {
		return driver.ErrClosed
	}
	e.counts.stores.Add(1)
	if len(in.Value) > e.maxValue {
		if op == driver.OpSet {
			// The former value must not be read as if it were the new one.
			e.items.Invalidate(strings.Clone(key))
		}
		return driver.ErrTooLarge
	}
	if op == driver.OpAppend || op == driver.OpPrepend {
		return e.extend(op, key, in.Value)
	}
	it := &item{value: bytes.Clone(in.Value), flags: in.Flags, ttl: e.ttl(ttl), token: e.tokens.Add(1)}
	if op == driver.OpSet {
		if it.ttl < 0 {
			e.items.Invalidate(strings.Clone(key))
		} else {
			e.items.Set(strings.Clone(key), it)
		}
		return nil
	}
	return e.change(key, func(old *item) (*item, error) {
		switch {
		case op == driver.OpCompareAndSwap && old == nil:
			return nil, driver.ErrNotFound
		case op == driver.OpCompareAndSwap && old.token != in.CAS:
			return nil, driver.ErrConflict
		case op == driver.OpAdd && old != nil, op == driver.OpReplace && old == nil:
			return nil, driver.ErrNotStored
		}
		return it, nil
	})
}

// extend is OpAppend and OpPrepend.
func (e *Engine) extend(op driver.Op, key string, more []byte) error {
	return e.change(key, func(old *item) (*item, error) {
		if old == nil {
			return nil, driver.ErrNotStored
		}
		if len(old.value)+len(more) > e.maxValue {
			return nil, driver.ErrTooLarge
		}
		first, second := old.value, more
		if op == driver.OpPrepend {
			first, second = more, old.value
		}
		value := make([]byte, 0, len(first)+len(second))
		value = append(append(value, first...), second...)
		return &item{value: value, flags: old.flags, ttl: keep, token: e.tokens.Add(1)}, nil
	})
}

// change replaces the item of a key by what f makes of it, in one step. old is
// nil if there is none. A new item whose ttl is negative removes the key; an
// error leaves it as it is.
func (e *Engine) change(key string, f func(old *item) (*item, error)) error {
	var failed error
	e.items.Compute(strings.Clone(key), func(old *item, found bool) (*item, otter.ComputeOp) {
		if !found {
			old = nil
		}
		it, err := f(old)
		switch {
		case err != nil:
			failed = err
			return old, otter.CancelOp
		case it.ttl < 0:
			return old, otter.InvalidateOp
		}
		return it, otter.WriteOp
	})
	return failed
}

// GetAndTouch returns the value and sets its ttl.
func (e *Engine) GetAndTouch(_ context.Context, key string, ttl time.Duration) (driver.Item, error) {
	if e.closed.Load() {
		return driver.Item{}, driver.ErrClosed
	}
	var got driver.Item
	err := e.change(key, func(old *item) (*item, error) {
		if old == nil {
			return nil, driver.ErrNotFound
		}
		got = driver.Item{Value: old.value, Flags: old.flags, CAS: old.token}
		touched := *old // the token stays: the value did not change
		touched.ttl = e.ttl(ttl)
		return &touched, nil
	})
	if err != nil {
		e.counts.misses.Add(1)
		return driver.Item{}, err
	}
	e.counts.hits.Add(1)
	return got, nil
}

// Touch sets the ttl of a value.
func (e *Engine) Touch(ctx context.Context, key string, ttl time.Duration) error {
	_, err := e.GetAndTouch(ctx, key, ttl)
	return err
}

// Delete removes a value.
func (e *Engine) Delete(_ context.Context, key string) error {
	if e.closed.Load() {
		return driver.ErrClosed
	}
	if _, ok := e.items.Invalidate(strings.Clone(key)); !ok {
		return driver.ErrNotFound
	}
	return nil
}

// Flush removes every value, now or when delay is over.
func (e *Engine) Flush(_ context.Context, delay time.Duration) error {
	if e.closed.Load() {
		return driver.ErrClosed
	}
	e.counts.flushes.Add(1)
	e.flusher.schedule(delay)
	return nil
}

// Close ends the engine's goroutines and lets go of the values.
func (e *Engine) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	e.flusher.stop()
	e.items.StopAllGoroutines()
	e.items.InvalidateAll()
	return nil
}

// ttl returns what an item carries for a ttl of the contract.
func (e *Engine) ttl(d time.Duration) time.Duration {
	if d == 0 {
		return e.defaultTTL
	}
	return d
}
