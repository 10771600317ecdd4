// Package driver is the contract between package cache and the engines that
// keep values: the engine in this process and the client of a memcached server.
//
// Users of caches import package cache. A driver implements Cache and is judged
// by package drivertest.
//
// What the contract asks of every driver:
//
//   - A write that returned nil is seen by every later read through any driver
//     of the same store, until the value expires, is evicted for want of room,
//     flushed or replaced. A write that could not be made returns an error:
//     a driver that drops writes in silence breaks the contract.
//   - Atomic by key. Add, CompareAndSwap, Increment and the others of their kind
//     decide and write in one step, whoever else writes the same key.
//   - Validated before. Package cache and the memcached server check keys (see
//     cache.CheckKey); a driver answers for sizes and state.
//   - Concurrent. Every method may be called from any number of goroutines.
//   - No retries of an operation. A transport may replace a connection that was
//     closed while it lay idle, before it has written anything on it.
//   - Nothing retained. A driver copies the keys and values it keeps; Get may
//     not keep its key beyond the call, not even in a log or an error.
//   - What Item.Value points to is read-only for the caller: an engine in
//     process hands out what it holds. A driver never changes it afterwards.
//   - Contexts end waiting. A write whose context ended may have happened.
//   - Errors are the sentinels below, bare or wrapped, or the transport's own;
//     package cache adds operation and key.
package driver

import (
	"context"
	"errors"
	"time"
)

// Errors a driver returns; test with errors.Is.
var (
	// ErrNotFound: there is no value of that key.
	ErrNotFound = errors.New("not found")
	// ErrNotStored: the condition of the store did not hold: OpAdd and the key
	// has a value, or OpReplace, OpAppend, OpPrepend and it has none.
	ErrNotStored = errors.New("not stored")
	// ErrConflict: OpCompareAndSwap, and the value was written since its token
	// was read.
	ErrConflict = errors.New("value changed since it was read")
	// ErrNotNumber: Increment or Decrement of a value that is no decimal number
	// of 64 bits without sign.
	ErrNotNumber = errors.New("value is not a number")
	// ErrTooLarge: the value exceeds the store's bound; a former value of the
	// key may or may not be left.
	ErrTooLarge = errors.New("value is too large for the cache")
	// ErrClosed: the driver was closed.
	ErrClosed = errors.New("cache is closed")
)

// Op is a way to store.
type Op uint8

// The ways to store. The zero Op is invalid.
const (
	OpSet            Op = iota + 1 // store whatever is there
	OpAdd                          // store if there is none
	OpReplace                      // store if there is one
	OpAppend                       // value goes after what is there; flags and expiry stay
	OpPrepend                      // value goes before what is there; flags and expiry stay
	OpCompareAndSwap               // store if Item.CAS is still the value's token
)

// Item is a value with what the store keeps beside it.
type Item struct {
	Value []byte // read-only where a driver returned it
	Flags uint32 // opaque to the store
	// CAS is the token of this state of the value, never 0 in an Item a driver
	// returned. OpCompareAndSwap compares it; other stores ignore it.
	CAS uint64
}

// Cache keeps values by key. Keys are 1–250 bytes without spaces and control
// characters.
//
// A ttl is the time left from now. 0 is the store's default, which is never to
// expire unless the store was set up otherwise. Negative means at once: the
// store is acknowledged and the value is not there. A driver may round a
// positive ttl up to a whole second, and a store may end it up to a second
// early, as memcached does.
type Cache interface {
	// Get returns the value, else ErrNotFound.
	Get(ctx context.Context, key string) (Item, error)
	// GetMulti returns the values that are there, by key; it is not one
	// snapshot. Keys that are missing are missing in the map.
	GetMulti(ctx context.Context, keys []string) (map[string]Item, error)
	// GetAndTouch is Get, and sets the value's ttl in the same step.
	GetAndTouch(ctx context.Context, key string, ttl time.Duration) (Item, error)
	// Store writes. It fails with ErrNotStored, ErrTooLarge, and for
	// OpCompareAndSwap with ErrNotFound or ErrConflict. OpAppend and OpPrepend
	// ignore Flags and ttl.
	Store(ctx context.Context, op Op, key string, item Item, ttl time.Duration) error
	// Increment adds to the decimal number that the value is and returns the
	// sum, which wraps around at 64 bits. The expiry stays. It fails with
	// ErrNotFound or ErrNotNumber.
	Increment(ctx context.Context, key string, delta uint64) (uint64, error)
	// Decrement is Increment downwards; it stops at 0.
	Decrement(ctx context.Context, key string, delta uint64) (uint64, error)
	// Touch sets the value's ttl, else fails with ErrNotFound.
	Touch(ctx context.Context, key string, ttl time.Duration) error
	// Delete removes the value, else fails with ErrNotFound.
	Delete(ctx context.Context, key string) error
	// Flush removes every value of this store, of no other. With a delay above
	// 0 it does so that much later, values written meanwhile included; a later
	// Flush takes the place of one that is still to come.
	Flush(ctx context.Context, delay time.Duration) error
	// Stats returns counts since the store started.
	Stats(ctx context.Context) (Stats, error)
	// Close ends the driver and waits for its goroutines. Calls after it, and
	// those that wait in it, fail with ErrClosed. Values in a store of another
	// process stay.
	Close() error
}

// Stats of a store since it started, or since its counts were last reset.
type Stats struct {
	Items     uint64 // values there now, perhaps with some that expired just now
	Bytes     uint64 // memory they hold, keys and bookkeeping included
	MaxBytes  uint64 // bound of Bytes
	Hits      uint64 // reads that found a value
	Misses    uint64 // reads that did not
	Stores    uint64 // stores tried, of any kind
	Evictions uint64 // values dropped for want of room before they expired
	Flushes   uint64
}
