package ratelimit

import (
	"hash/maphash"
	"sync"
)

// Concurrency has at most Max under way at once, of each key. Its methods may
// be called from any number of goroutines.
type Concurrency struct {
	most   int
	seed   maphash.Seed
	shards [shards]struct {
		sync.Mutex
		under map[uint64]int // by the key's hash; only those that have some
	}
}

// NewConcurrency returns a Concurrency of at most most, which is at least 1.
func NewConcurrency(most int) *Concurrency {
	c := &Concurrency{most: most, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].under = map[uint64]int{}
	}
	return c
}

// A Permit is one that is under way.
type Permit uint64

// Begin begins one of key, if it may. Every permit has to be ended.
func (c *Concurrency) Begin(key string) (Permit, bool) {
	h := maphash.String(c.seed, key)
	s := &c.shards[h%shards]
	s.Lock()
	defer s.Unlock()
	n := s.under[h]
	if n >= c.most {
		return 0, false
	}
	s.under[h] = n + 1
	return Permit(h), true
}

// End ends one.
func (c *Concurrency) End(p Permit) {
	h := uint64(p)
	s := &c.shards[h%shards]
	s.Lock()
	defer s.Unlock()
	if s.under[h]--; s.under[h] <= 0 {
		delete(s.under, h)
	}
}
