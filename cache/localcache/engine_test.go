package localcache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/cache"
	"github.com/dayfly-dev/dayfly/cache/driver"
	"github.com/dayfly-dev/dayfly/cache/drivertest"
	"github.com/dayfly-dev/dayfly/cache/localcache"
)

func open(t testing.TB, o localcache.Options) *localcache.Engine {
	t.Helper()
	e, err := localcache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Open:     func(t *testing.T) driver.Cache { return open(t, localcache.Options{}) },
		Bubble:   true,
		MaxValue: 1 << 20,
	})
}

func TestOptions(t *testing.T) {
	for _, o := range []localcache.Options{
		{MaxBytes: -1}, {MaxBytes: 1000}, {MaxValue: -1}, {MaxValue: 2 << 30},
		{MaxBytes: 2 << 20, MaxValue: 2 << 20}, {DefaultTTL: -time.Second},
	} {
		if e, err := localcache.New(o); err == nil {
			e.Close()
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestDefaultTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, localcache.Options{DefaultTTL: time.Hour})
		ctx := t.Context()
		set := func(key string, ttl time.Duration) {
			if err := e.Store(ctx, driver.OpSet, key, driver.Item{Value: []byte("x")}, ttl); err != nil {
				t.Fatal(err)
			}
		}
		there := func(key string, want bool) {
			t.Helper()
			if _, err := e.Get(ctx, key); (err == nil) != want {
				t.Errorf("%s: %v, want it there: %v", key, err, want)
			}
		}
		set("default", 0)
		set("own", 3*time.Hour)
		set("touched", 3*time.Hour)
		if err := e.Touch(ctx, "touched", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		there("default", true)
		time.Sleep(2 * time.Minute)
		there("default", false)
		there("touched", false)
		there("own", true)
	})
}

// TestBound fills the engine many times over: what it holds stays within the
// bound, and what is evicted is counted.
func TestBound(t *testing.T) {
	const bound = 4 << 20
	e := open(t, localcache.Options{MaxBytes: bound})
	ctx := context.Background()
	value := make([]byte, 1000)
	for i := range 40_000 {
		if err := e.Store(ctx, driver.OpSet, fmt.Sprint("key", i), driver.Item{Value: value}, 0); err != nil {
			t.Fatal(err)
		}
	}
	s, err := e.Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if s.Bytes > bound || s.Bytes < bound/2 || s.Items > bound/1000 || s.Evictions < 30_000 {
		t.Errorf("after 40,000 values of 1000 bytes: %+v", s)
	}
}

// TestProveFullCache: a cache that is full of values read all the time may
// evict a new one at once; that is no failure to an application that starts.
func TestProveFullCache(t *testing.T) {
	e := open(t, localcache.Options{MaxBytes: 1 << 20}) // the smallest
	ctx := context.Background()
	c := cache.New(e, nil)
	for range 20 {
		for i := range 2000 {
			key := fmt.Sprint("key", i%1000)
			if _, err := c.Get(ctx, key); err != nil {
				if err := c.Set(ctx, &cache.Item{Key: key, Value: make([]byte, 1000)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Prove(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := c.Stats(ctx); err != nil || s.Evictions == 0 {
		t.Errorf("the cache was not full: %+v, %v", s, err)
	}
}

// TestWeightIsMemory compares what the engine says it holds with the heap.
func TestWeightIsMemory(t *testing.T) {
	for _, size := range []int{10, 100, 4096} {
		e := open(t, localcache.Options{MaxBytes: 1 << 30})
		ctx := context.Background()
		before := heap()
		const n = 20_000
		for i := range n {
			e.Store(ctx, driver.OpSet, fmt.Sprintf("object:%010d", i), driver.Item{Value: make([]byte, size)}, time.Hour)
		}
		s, _ := e.Stats(ctx)
		held := heap() - before
		t.Logf("%d B values: heap %d B an item, weight %d B an item", size, held/n, s.Bytes/n)
		if ratio := float64(s.Bytes) / float64(held); ratio < 0.85 || ratio > 1.25 {
			t.Errorf("%d B values: the engine says %d bytes, the heap grew by %d", size, s.Bytes, held)
		}
		e.Close()
	}
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestGetAllocatesNothing(t *testing.T) {
	e := open(t, localcache.Options{})
	ctx := context.Background()
	e.Store(ctx, driver.OpSet, "a", driver.Item{Value: []byte("x")}, 0)
	if n := testing.AllocsPerRun(1000, func() { e.Get(ctx, "a"); e.Get(ctx, "missing") }); n >= 1 {
		t.Errorf("%v allocations for two gets", n)
	}
}

// TestKeysAreCopied changes the memory of a key after each operation, as a
// server does that reads the next command into the same buffer.
func TestKeysAreCopied(t *testing.T) {
	e := open(t, localcache.Options{})
	ctx := context.Background()
	buf := []byte("key-1")
	write := map[string]func(key string) error{
		"set": func(key string) error {
			return e.Store(ctx, driver.OpSet, key, driver.Item{Value: []byte("1")}, 0)
		},
		"add": func(key string) error {
			return e.Store(ctx, driver.OpAdd, key, driver.Item{Value: []byte("1")}, 0)
		},
	}
	for name, f := range write {
		copy(buf, "key-1")
		if err := f(borrowed(buf)); err != nil {
			t.Fatal(err)
		}
		copy(buf, "KEY-2")
		if it, err := e.Get(ctx, "key-1"); err != nil || !bytes.Equal(it.Value, []byte("1")) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := e.Get(ctx, "KEY-2"); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%s: the key changed with the caller's memory: %v", name, err)
		}
		copy(buf, "key-1")
		e.Increment(ctx, borrowed(buf), 1)
		e.Touch(ctx, borrowed(buf), time.Hour)
		copy(buf, "KEY-2")
		if it, err := e.Get(ctx, "key-1"); err != nil || !bytes.Equal(it.Value, []byte("2")) {
			t.Errorf("%s, then incr: %q, %v", name, it.Value, err)
		}
		if err := e.Delete(ctx, "key-1"); err != nil {
			t.Fatal(err)
		}
	}
}
