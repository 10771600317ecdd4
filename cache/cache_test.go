package cache_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/cache"
	"github.com/dayfly-dev/dayfly/cache/driver"
	"github.com/dayfly-dev/dayfly/cache/localcache"
)

func local(t testing.TB, o *cache.Options) *cache.Cache {
	t.Helper()
	e, err := localcache.New(localcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := cache.New(e, o)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestCheckKey(t *testing.T) {
	for key, good := range map[string]bool{
		"a": true, strings.Repeat("k", 250): true, "ключ": true, "a:b/c": true, "\xff": true,
		"": false, strings.Repeat("k", 251): false, strings.Repeat("ю", 126): false, "a b": false, "a\tb": false,
		"a\r\nflush_all": false, "a\x00": false, "a\x7f": false, " a": false,
	} {
		err := cache.CheckKey(key)
		var invalid *cache.InvalidError
		if (err == nil) != good || err != nil && (!errors.As(err, &invalid) || invalid.Field != "key") {
			t.Errorf("%.20q: %v, want it good: %v", key, err, good)
		}
	}
}

// TestArguments: what no cache accepts does not reach the driver.
func TestArguments(t *testing.T) {
	c := cache.New(nil, &cache.Options{MaxValue: 10}) // a driver would be called in vain: nil panics
	ctx := t.Context()
	over, cancel := context.WithCancel(ctx)
	cancel()
	var invalid *cache.InvalidError
	bad := "a b"
	_, get := c.Get(ctx, bad)
	_, multi := c.GetMulti(ctx, "a", bad)
	_, gat := c.GetAndTouch(ctx, bad, 0)
	_, incr := c.Increment(ctx, bad, 1)
	_, decr := c.Decrement(ctx, bad, 1)
	for name, err := range map[string]error{
		"get": get, "multi": multi, "gat": gat, "incr": incr, "decr": decr,
		"set": c.Set(ctx, &cache.Item{Key: bad}), "add": c.Add(ctx, &cache.Item{Key: bad}),
		"replace": c.Replace(ctx, &cache.Item{Key: bad}), "cas": c.CompareAndSwap(ctx, &cache.Item{Key: "a"}),
		"append": c.Append(ctx, bad, nil), "prepend": c.Prepend(ctx, bad, nil),
		"touch": c.Touch(ctx, bad, 0), "delete": c.Delete(ctx, bad), "nil": c.Set(ctx, nil), "nil cas": c.CompareAndSwap(ctx, nil),
	} {
		if !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Set(ctx, &cache.Item{Key: "a", Value: make([]byte, 11)}); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := c.Get(over, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("context over: %v", err)
	}
	if err := c.Flush(over); !errors.Is(err, context.Canceled) {
		t.Errorf("context over: %v", err)
	}
	if items, err := c.GetMulti(ctx); err != nil || len(items) != 0 {
		t.Errorf("no keys: %v, %v", items, err)
	}
	if want := `cache: get "a b"`; !strings.Contains((&cache.Error{Op: "get", Key: "a b", Err: cache.ErrNotFound}).Error(), want) {
		t.Errorf("an error names no operation and key")
	}
}

func TestItems(t *testing.T) {
	c := local(t, nil)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Set(ctx, &cache.Item{Key: "a", Value: []byte("one"), Flags: 5}))
	it, err := c.Get(ctx, "a")
	must(err)
	// The item is the caller's: changing it changes no cache.
	it.Value[0] = 'X'
	again, err := c.Get(ctx, "a")
	must(err)
	if string(again.Value) != "one" || again.Flags != 5 || again.Key != "a" {
		t.Fatalf("%+v", again)
	}
	must(c.CompareAndSwap(ctx, it))
	if err := c.CompareAndSwap(ctx, again); !errors.Is(err, cache.ErrConflict) {
		t.Fatalf("swap of an old state: %v", err)
	}
	must(c.Append(ctx, "a", []byte("!")))
	must(c.Prepend(ctx, "a", []byte("<")))
	if err := c.Add(ctx, &cache.Item{Key: "a"}); !errors.Is(err, cache.ErrNotStored) {
		t.Fatalf("add: %v", err)
	}
	must(c.Add(ctx, &cache.Item{Key: "n", Value: []byte("7")}))
	if n, err := c.Increment(ctx, "n", 3); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := c.Decrement(ctx, "n", 30); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	must(c.Replace(ctx, &cache.Item{Key: "n", Value: nil}))
	items, err := c.GetMulti(ctx, "a", "n", "missing")
	must(err)
	if len(items) != 2 || string(items["a"].Value) != "<Xne!" || items["n"].Value == nil || len(items["n"].Value) != 0 {
		t.Fatalf("%v", items)
	}
	must(c.Delete(ctx, "n"))
	if err := c.Delete(ctx, "n"); !errors.Is(err, cache.ErrNotFound) {
		t.Fatalf("delete: %v", err)
	}
	must(c.Flush(ctx))
	if _, err := c.Get(ctx, "a"); !errors.Is(err, cache.ErrNotFound) {
		t.Fatalf("after flush: %v", err)
	}
	if s, err := c.Stats(ctx); err != nil || s.Flushes != 1 {
		t.Fatal(s, err)
	}
	must(c.Close())
	if _, err := c.Get(ctx, "a"); !errors.Is(err, cache.ErrClosed) {
		t.Fatalf("closed: %v", err)
	}
}

func TestDefaultTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := local(t, &cache.Options{DefaultTTL: time.Hour})
		ctx := t.Context()
		for key, ttl := range map[string]time.Duration{"default": 0, "own": 2 * time.Hour, "at-once": -1} {
			if err := c.Set(ctx, &cache.Item{Key: key, TTL: ttl}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(61 * time.Minute)
		for key, want := range map[string]bool{"default": false, "own": true, "at-once": false} {
			if _, err := c.Get(ctx, key); (err == nil) != want {
				t.Errorf("%s: %v", key, err)
			}
		}
		if _, err := c.GetAndTouch(ctx, "own", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Minute)
		if _, err := c.Get(ctx, "own"); err == nil {
			t.Error("touch with 0 did not mean the default")
		}
	})
}

func TestOptionsPanic(t *testing.T) {
	for _, o := range []cache.Options{{DefaultTTL: -1}, {MaxValue: -1}, {MaxValue: 2 << 30}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was accepted", o)
				}
			}()
			cache.New(nil, &o)
		}()
	}
}

// ill is a driver with one fault.
type ill struct {
	driver.Cache
	fault string
}

var evictions uint64 // that "evicts" has counted

func (d ill) Stats(ctx context.Context) (driver.Stats, error) {
	switch d.fault {
	case "evicts":
		evictions++
		return driver.Stats{Evictions: evictions}, nil
	case "no stats", "drops, no stats":
		return driver.Stats{}, errIll
	}
	return d.Cache.Stats(ctx)
}

var errIll = errors.New("the store is ill")

func (d ill) Store(ctx context.Context, op driver.Op, key string, it driver.Item, ttl time.Duration) error {
	switch d.fault {
	case "drops", "evicts", "drops, no stats":
		return nil
	case "refuses":
		return errIll
	case "cuts":
		it.Value = it.Value[:len(it.Value)/2]
	case "drops large":
		if len(it.Value) > 1000 {
			return nil
		}
	case "forgets flags":
		it.Flags = 0
	}
	return d.Cache.Store(ctx, op, key, it, ttl)
}

func (d ill) Get(ctx context.Context, key string) (driver.Item, error) {
	it, err := d.Cache.Get(ctx, key)
	switch d.fault {
	case "changes":
		it.Value = append([]byte("x"), it.Value...)
	case "cannot read":
		err = errIll
	case "text only":
		it.Value = []byte(strings.ReplaceAll(string(it.Value), "\r\n", "\n"))
	}
	return it, err
}

func (d ill) Delete(ctx context.Context, key string) error {
	if d.fault == "keeps" {
		return nil
	}
	return d.Cache.Delete(ctx, key)
}

func TestProve(t *testing.T) {
	for fault, want := range map[string]string{
		"":                "",
		"drops":           "was acknowledged and is not there",
		"evicts":          "", // a full cache is no broken one
		"no stats":        "",
		"drops, no stats": "was acknowledged and is not there",
		"drops large":     "4096 bytes was acknowledged and is not there",
		"refuses":         "the store is ill",
		"cannot read":     "the store is ill",
		"cuts":            "came back changed",
		"changes":         "came back changed",
		"text only":       "came back changed",
		"forgets flags":   "flags",
		"keeps":           "still there",
	} {
		t.Run("fault "+fault, func(t *testing.T) {
			e, err := localcache.New(localcache.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			err = cache.New(ill{e, fault}, nil).Prove(t.Context())
			switch {
			case want == "" && err != nil:
				t.Error(err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("got %v, want %q", err, want)
			}
			if s, _ := e.Stats(t.Context()); fault == "" && s.Items != 0 {
				t.Errorf("a proof leaves %d values", s.Items)
			}
		})
	}
	e, err := localcache.New(localcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := cache.New(e, nil).Prove(canceled(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
