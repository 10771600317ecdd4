// Package ratelimit says who may do something now: so many in a time (Rate),
// and so many at once (Concurrency), each by a key such as a client's address.
//
// Both cost the same however many keys there are. Their memory is bounded: that
// of a Rate from its start, that of a Concurrency by how many are under way.
// Everything is in memory and of this process; time is the monotonic clock.
package ratelimit

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// Limits of what can be asked for.
const (
	MaxRate  = 1_000_000
	MaxPer   = 24 * time.Hour
	MaxBurst = 1_000_000
	MaxKeys  = 1 << 24
)

// Terms are those of a Rate.
type Terms struct {
	N     int           // how many, 1–MaxRate,
	Per   time.Duration // in which time, 1 ms–MaxPer
	Burst int           // at once after a rest, 1–MaxBurst; default N
	// Keys is how many keys are remembered at least, up to MaxKeys: 16 bytes
	// each. Beyond that those are forgotten that could soonest do all again.
	// Default 65,536.
	Keys int
}

const (
	ways   = 8  // places in which one key may be
	shards = 32 // locks
)

// Rate is the generic cell rate algorithm (ITU-T I.371): a key's state is one
// time, at which its allowance is whole again. Its methods may be called from
// any number of goroutines.
type Rate struct {
	terms    Terms
	interval int64 // ns by which one use delays that time
	capacity int64 // ns by which it may lie ahead
	start    time.Time
	seed     maphash.Seed
	mask     uint64 // of sets
	locks    [shards]struct {
		sync.Mutex
		_ [56]byte // a cache line each
	}
	sets [][ways]entry
}

// An entry is one key: its hash instead of itself, so that all take the same
// room and the collector has nothing to look at. Two keys of the same 64 bits
// share an allowance; the seed is the process's own, so nobody can bring it
// about.
type entry struct {
	hash  uint64
	whole int64 // ns after start; an entry whose time has come holds nothing
}

// NewRate returns a Rate, or what is wrong with its terms.
func NewRate(t Terms) (*Rate, error) {
	if t.Burst == 0 {
		t.Burst = min(t.N, MaxBurst)
	}
	if t.Keys == 0 {
		t.Keys = 65_536
	}
	switch {
	case t.N < 1 || t.N > MaxRate:
		return nil, fmt.Errorf("ratelimit: a rate of %d; it must be 1 to %d", t.N, MaxRate)
	case t.Per < time.Millisecond || t.Per > MaxPer:
		return nil, fmt.Errorf("ratelimit: a rate in %v; it must be 1ms to 24h", t.Per)
	case t.Burst < 1 || t.Burst > MaxBurst:
		return nil, fmt.Errorf("ratelimit: a burst of %d; it must be 1 to %d", t.Burst, MaxBurst)
	case t.Keys < 1 || t.Keys > MaxKeys:
		return nil, fmt.Errorf("ratelimit: %d keys; they must be 1 to %d", t.Keys, MaxKeys)
	}
	r := &Rate{terms: t, interval: max(1, int64(t.Per)/int64(t.N)), start: time.Now(), seed: maphash.MakeSeed()}
	if r.interval > math.MaxInt64/2/int64(t.Burst) {
		return nil, errors.New("ratelimit: a burst at this rate takes more than a hundred years to come again")
	}
	r.capacity = r.interval * int64(t.Burst)
	sets := 1
	for sets*ways < t.Keys {
		sets *= 2
	}
	r.sets, r.mask = make([][ways]entry, sets), uint64(sets-1)
	return r, nil
}

// Terms are those of the rate, with defaults.
func (r *Rate) Terms() Terms { return r.terms }

// A Decision is the answer to one use.
type Decision struct {
	Allowed   bool
	Remaining int           // how many more are allowed at once
	Reset     time.Duration // until all of the burst are
	Retry     time.Duration // until one is; 0 if one is now
}

// Take uses one of key's allowance, if there is one.
func (r *Rate) Take(key string) Decision {
	h := maphash.String(r.seed, key)
	now := int64(time.Since(r.start))
	set := h & r.mask
	lock := &r.locks[set%shards]
	lock.Lock()
	defer lock.Unlock()
	e := find(&r.sets[set], h, now)
	whole := now
	if e.hash == h {
		whole = max(now, e.whole)
	}
	d := Decision{Allowed: whole+r.interval-now <= r.capacity}
	if d.Allowed {
		whole += r.interval
		e.hash, e.whole = h, whole
	}
	left := r.capacity - (whole - now)
	d.Remaining = int(left / r.interval)
	d.Reset = time.Duration(whole - now)
	if d.Remaining == 0 {
		d.Retry = time.Duration(r.interval - left)
	}
	return d
}

// find is the entry of a hash, or the one that is to become it: one whose time
// has come, or else the one whose time comes first. A crowd of keys that are
// used once thus never has one forgotten that is near its limit.
func find(set *[ways]entry, h uint64, now int64) *entry {
	first := &set[0]
	for i := range set {
		e := &set[i]
		if e.hash == h && e.whole > now {
			return e
		}
		if e.whole < first.whole {
			first = e
		}
	}
	return first
}
