// Package cache keeps values that may be lost: what is slow to make and can be
// made again. Nothing in it is durable, any value may be gone at any time, and
// no other part may rely on one being there.
//
// A *Cache is made over a driver: localcache keeps values in this process,
// memcachedcache in a memcached server (Dayfly's own, memcached, ElastiCache).
// Named caches of an application are separate stores: flushing one leaves the
// others.
//
// Limits, the same over every driver: keys as CheckKey says, values up to 1 MiB
// unless set otherwise. memcached itself counts key and bookkeeping into its
// bound, so leave it 512 bytes.
package cache

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// DefaultMaxValue is the bound of a value in bytes, memcached's default.
const DefaultMaxValue = 1 << 20

// Options of a Cache; nil is the defaults.
type Options struct {
	// DefaultTTL is the time to live of items whose TTL is 0. Default 0: left
	// to the store, where it means never unless the store has a default itself.
	DefaultTTL time.Duration
	// MaxValue is the largest value in bytes, 1–1 GiB. Default DefaultMaxValue. The
	// store may have a lower bound of its own.
	MaxValue int
}

// Item is a value under a key.
type Item struct {
	Key   string
	Value []byte
	Flags uint32 // for the application; clients in other languages keep the value's type here
	// TTL is the time to live when the item is written: 0 is the cache's default
	// (Options.DefaultTTL), negative at once. Stores may round it up to a whole
	// second. Reads leave it 0: stores do not tell.
	TTL time.Duration

	token uint64 // of the state that was read, for CompareAndSwap
}

// Stats is what a store counts.
type Stats = driver.Stats

// Cache is a store of expiring values. Its methods may be called by any number
// of goroutines. Nothing is retried.
type Cache struct {
	driver     driver.Cache
	defaultTTL time.Duration
	maxValue   int
}

// New makes a Cache over a driver; o may be nil. It panics on options that are
// out of range, which are a programmer's mistake: files are checked when read.
func New(d driver.Cache, o *Options) *Cache {
	c := &Cache{driver: d, maxValue: DefaultMaxValue}
	if o == nil {
		return c
	}
	if o.DefaultTTL < 0 {
		panic("cache: Options.DefaultTTL is negative: " + o.DefaultTTL.String())
	}
	if o.MaxValue < 0 || o.MaxValue > 1<<30 {
		panic("cache: Options.MaxValue is out of range: " + strconv.Itoa(o.MaxValue))
	}
	c.defaultTTL = o.DefaultTTL
	if o.MaxValue > 0 {
		c.maxValue = o.MaxValue
	}
	return c
}

// Get returns the item of a key, or ErrNotFound. The caller owns the item.
func (c *Cache) Get(ctx context.Context, key string) (*Item, error) {
	if err := ready(ctx, "get", key); err != nil {
		return nil, err
	}
	it, err := c.driver.Get(ctx, key)
	if err != nil {
		return nil, &Error{"get", key, err}
	}
	return own(key, it), nil
}

// GetMulti returns the items that are there, by key. Missing ones are no error.
func (c *Cache) GetMulti(ctx context.Context, keys ...string) (map[string]*Item, error) {
	for _, key := range keys {
		if err := ready(ctx, "get", key); err != nil {
			return nil, err
		}
	}
	if len(keys) == 0 {
		return map[string]*Item{}, nil
	}
	found, err := c.driver.GetMulti(ctx, keys)
	if err != nil {
		return nil, &Error{"get", "", err}
	}
	items := make(map[string]*Item, len(found))
	for key, it := range found {
		items[key] = own(key, it)
	}
	return items, nil
}

// GetAndTouch is Get, and sets the item's time to live as Touch does.
func (c *Cache) GetAndTouch(ctx context.Context, key string, ttl time.Duration) (*Item, error) {
	if err := ready(ctx, "get and touch", key); err != nil {
		return nil, err
	}
	it, err := c.driver.GetAndTouch(ctx, key, c.ttl(ttl))
	if err != nil {
		return nil, &Error{"get and touch", key, err}
	}
	return own(key, it), nil
}

// Touch sets the time to live of an item from now; 0 and negative mean what
// they mean in Item.TTL. ErrNotFound if there is no item.
func (c *Cache) Touch(ctx context.Context, key string, ttl time.Duration) error {
	if err := ready(ctx, "touch", key); err != nil {
		return err
	}
	return wrap("touch", key, c.driver.Touch(ctx, key, c.ttl(ttl)))
}

// Delete removes an item; ErrNotFound if there was none.
func (c *Cache) Delete(ctx context.Context, key string) error {
	if err := ready(ctx, "delete", key); err != nil {
		return err
	}
	return wrap("delete", key, c.driver.Delete(ctx, key))
}

// Increment adds delta to a value that is a decimal number ("41") and returns
// the sum; it wraps around at 64 bits. The item must be there (ErrNotFound):
// Add it first. Its time to live stays.
func (c *Cache) Increment(ctx context.Context, key string, delta uint64) (uint64, error) {
	if err := ready(ctx, "increment", key); err != nil {
		return 0, err
	}
	n, err := c.driver.Increment(ctx, key, delta)
	return n, wrap("increment", key, err)
}

// Decrement is Increment downwards; it stops at 0.
func (c *Cache) Decrement(ctx context.Context, key string, delta uint64) (uint64, error) {
	if err := ready(ctx, "decrement", key); err != nil {
		return 0, err
	}
	n, err := c.driver.Decrement(ctx, key, delta)
	return n, wrap("decrement", key, err)
}

// Flush removes every item of this cache.
func (c *Cache) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &Error{"flush", "", err}
	}
	return wrap("flush", "", c.driver.Flush(ctx, 0))
}

// Stats returns the store's counts.
func (c *Cache) Stats(ctx context.Context) (Stats, error) {
	s, err := c.driver.Stats(ctx)
	return s, wrap("stats", "", err)
}

// Close ends the driver. A store of another process keeps its items.
func (c *Cache) Close() error { return wrap("close", "", c.driver.Close()) }

// ttl puts the cache's default in the place of 0.
func (c *Cache) ttl(d time.Duration) time.Duration {
	if d == 0 {
		return c.defaultTTL
	}
	return d
}

// ready checks what every operation on a key needs.
func ready(ctx context.Context, op, key string) error {
	if err := CheckKey(key); err != nil {
		return &Error{op, "", err}
	}
	if err := ctx.Err(); err != nil {
		return &Error{op, key, err}
	}
	return nil
}

// own copies a driver's item for a user, who may change it.
func own(key string, it driver.Item) *Item {
	v := bytes.Clone(it.Value)
	if v == nil {
		v = []byte{} // an empty value is not a missing one
	}
	return &Item{Key: key, Value: v, Flags: it.Flags, token: it.CAS}
}

func wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{op, key, err}
}
