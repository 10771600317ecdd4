package respcache

import (
	"sync/atomic"
	"time"
)

// passes remembers for a while which keys had answers that are not stored, so
// that requests for them do not wait for each other. It is a table of fixed size
// without locks: of two keys with one place the later counts, and forgetting one
// costs a wait, no more.
type passes struct {
	places [1 << 14]struct{ hash, until atomic.Uint64 }
}

// passFor is how long a key is remembered after its last such answer.
const passFor = 2 * time.Minute

func (p *passes) add(hash uint64, now time.Time) {
	x := &p.places[hash%uint64(len(p.places))]
	x.hash.Store(hash)
	x.until.Store(uint64(now.Add(passFor).Unix()))
}

func (p *passes) drop(hash uint64) {
	if x := &p.places[hash%uint64(len(p.places))]; x.hash.Load() == hash {
		x.until.Store(0)
	}
}

func (p *passes) has(hash uint64, now time.Time) bool {
	x := &p.places[hash%uint64(len(p.places))]
	return x.hash.Load() == hash && uint64(now.Unix()) < x.until.Load()
}
