package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newRate(t testing.TB, terms Terms) *Rate {
	t.Helper()
	r, err := NewRate(terms)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRate(t, Terms{N: 2, Per: time.Second, Burst: 3})
		for i, want := range []Decision{
			{true, 2, 500 * time.Millisecond, 0},
			{true, 1, time.Second, 0},
			{true, 0, 1500 * time.Millisecond, 500 * time.Millisecond},
			{false, 0, 1500 * time.Millisecond, 500 * time.Millisecond},
		} {
			if got := r.Take("a"); got != want {
				t.Errorf("use %d: %+v, want %+v", i, got, want)
			}
		}
		if got := r.Take("b"); !got.Allowed || got.Remaining != 2 {
			t.Errorf("another key: %+v", got)
		}
		time.Sleep(500*time.Millisecond - 1)
		if got := r.Take("a"); got.Allowed || got.Retry != 1 {
			t.Errorf("a nanosecond early: %+v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := r.Take("a"); !got.Allowed {
			t.Errorf("in time: %+v", got)
		}
		time.Sleep(time.Hour)
		if got := r.Take("a"); !got.Allowed || got.Remaining != 2 {
			t.Errorf("after a rest: %+v", got)
		}
	})
}

// A bucket is the model: tokens that come with time, counted in nanoseconds.
type bucket struct {
	level int64
	at    time.Time
}

func (b *bucket) take(r *Rate, now time.Time) bool {
	b.level = min(r.capacity, b.level+int64(now.Sub(b.at)))
	b.at = now
	if b.level < r.interval {
		return false
	}
	b.level -= r.interval
	return true
}

// Random uses by random keys at random times are allowed as by token buckets.
func TestRateIsATokenBucket(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			terms := Terms{N: 1 + rnd.IntN(50), Per: time.Duration(1+rnd.IntN(5000)) * time.Millisecond, Burst: 1 + rnd.IntN(20), Keys: 1 << 14}
			r := newRate(t, terms)
			model := map[string]*bucket{}
			for range 2000 {
				key := fmt.Sprint(rnd.IntN(40))
				if model[key] == nil {
					model[key] = &bucket{level: r.capacity, at: time.Now()}
				}
				want := model[key].take(r, time.Now())
				got := r.Take(key)
				if got.Allowed != want || got.Remaining != int(model[key].level/r.interval) || got.Reset != time.Duration(r.capacity-model[key].level) {
					t.Fatalf("%+v: %+v, the model says %v with %d ns left", terms, got, want, model[key].level)
				}
				if got.Remaining == 0 && got.Retry != time.Duration(r.interval-model[key].level) || got.Remaining > 0 && got.Retry != 0 {
					t.Fatalf("%+v: retry %v with %d of %d ns left", terms, got.Retry, model[key].level, r.interval)
				}
				time.Sleep(time.Duration(rnd.Int64N(r.interval/2 + 1)))
			}
		})
	}
}

// Many keys that are used once do not have one forgotten that is at its limit,
// and the memory stays what it was.
func TestCrowdForgetsNobodyAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRate(t, Terms{N: 10, Per: time.Minute, Keys: 64})
		for r.Take("busy").Allowed {
		}
		for i := range 100_000 {
			if !r.Take(fmt.Sprint(i)).Allowed && len(r.sets)*ways < 64 {
				t.Fatal("a new key was refused")
			}
		}
		if d := r.Take("busy"); d.Allowed {
			t.Errorf("it was forgotten: %+v", d)
		}
		if len(r.sets) != 8 {
			t.Errorf("%d sets", len(r.sets))
		}
	})
}

func TestRateAtOnce(t *testing.T) {
	r := newRate(t, Terms{N: 1, Per: 24 * time.Hour, Burst: 1000})
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if r.Take("k").Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 1000 {
		t.Errorf("%d of a burst of 1000", allowed.Load())
	}
}

func TestTerms(t *testing.T) {
	for _, terms := range []Terms{{}, {N: 1}, {N: -1, Per: time.Second}, {N: MaxRate + 1, Per: time.Second}, {N: 1, Per: time.Microsecond},
		{N: 1, Per: 25 * time.Hour}, {N: 1, Per: time.Second, Burst: -1}, {N: 1, Per: time.Second, Burst: MaxBurst + 1},
		{N: 1, Per: time.Second, Keys: -1}, {N: 1, Per: time.Second, Keys: MaxKeys + 1}, {N: 1, Per: 24 * time.Hour, Burst: MaxBurst}} {
		if _, err := NewRate(terms); err == nil {
			t.Errorf("%+v was accepted", terms)
		}
	}
	if got := newRate(t, Terms{N: 7, Per: time.Second}).Terms(); got.Burst != 7 || got.Keys != 65_536 {
		t.Errorf("%+v", got)
	}
}

func TestConcurrency(t *testing.T) {
	c := NewConcurrency(2)
	a, ok1 := c.Begin("k")
	_, ok2 := c.Begin("k")
	_, ok3 := c.Begin("k")
	_, other := c.Begin("l")
	if !ok1 || !ok2 || ok3 || !other {
		t.Error(ok1, ok2, ok3, other)
	}
	c.End(a)
	b, ok := c.Begin("k")
	if !ok {
		t.Error("not after one has ended")
	}
	c.End(a)
	c.End(b)
	left := 0
	for i := range c.shards {
		left += len(c.shards[i].under)
	}
	if left != 1 {
		t.Errorf("%d keys are remembered, of which one has something under way", left)
	}
}

func TestConcurrencyAtOnce(t *testing.T) {
	c := NewConcurrency(3)
	var under, most atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				p, ok := c.Begin("k")
				if !ok {
					continue
				}
				n := under.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				under.Add(-1)
				c.End(p)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d at once", most.Load())
	}
}

func BenchmarkTake(b *testing.B) {
	for _, keys := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(keys, "keys"), func(b *testing.B) {
			r := newRate(b, Terms{N: 1000, Per: time.Second})
			names := make([]string, keys)
			for i := range names {
				names[i] = fmt.Sprint("client", i)
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(keys); pb.Next(); i++ {
					r.Take(names[i%keys])
				}
			})
		})
	}
}
