package cache

import (
	"context"
	"fmt"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// Set writes an item whatever is there. When it returned nil the store has it.
func (c *Cache) Set(ctx context.Context, it *Item) error {
	return c.store(ctx, "set", driver.OpSet, it)
}

// Add writes an item if its key has none, else fails with ErrNotStored. It is
// no lock to rely on: the item may be evicted before its time.
func (c *Cache) Add(ctx context.Context, it *Item) error {
	return c.store(ctx, "add", driver.OpAdd, it)
}

// Replace writes an item if its key has one, else fails with ErrNotStored.
func (c *Cache) Replace(ctx context.Context, it *Item) error {
	return c.store(ctx, "replace", driver.OpReplace, it)
}

// CompareAndSwap writes an item that was got from this cache and then changed,
// unless someone wrote it since (ErrConflict) or it is gone (ErrNotFound).
func (c *Cache) CompareAndSwap(ctx context.Context, it *Item) error {
	if it != nil && it.token == 0 {
		return &Error{"compare and swap", it.Key, &InvalidError{Field: "item", Value: it.Key,
			Reason: "was not got from the cache: Get it, change its Value, and write that"}}
	}
	return c.store(ctx, "compare and swap", driver.OpCompareAndSwap, it)
}

// Append puts value after what is there, else fails with ErrNotStored. Flags
// and time to live stay.
func (c *Cache) Append(ctx context.Context, key string, value []byte) error {
	return c.store(ctx, "append", driver.OpAppend, &Item{Key: key, Value: value})
}

// Prepend puts value before what is there, else fails with ErrNotStored. Flags
// and time to live stay.
func (c *Cache) Prepend(ctx context.Context, key string, value []byte) error {
	return c.store(ctx, "prepend", driver.OpPrepend, &Item{Key: key, Value: value})
}

func (c *Cache) store(ctx context.Context, name string, op driver.Op, it *Item) error {
	if it == nil {
		return &Error{name, "", &InvalidError{Field: "item", Reason: "is nil"}}
	}
	if err := ready(ctx, name, it.Key); err != nil {
		return err
	}
	if len(it.Value) > c.maxValue {
		return &Error{name, it.Key, fmt.Errorf("%w: %d bytes, the most is %d", ErrTooLarge, len(it.Value), c.maxValue)}
	}
	d := driver.Item{Value: it.Value, Flags: it.Flags, CAS: it.token}
	return wrap(name, it.Key, c.driver.Store(ctx, op, it.Key, d, c.ttl(it.TTL)))
}
