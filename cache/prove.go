package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// proveTTL bounds how long what a proof wrote can stay when its delete fails.
const proveTTL = time.Minute

// Prove writes values under fresh random keys, reads them back, compares value
// and flags, deletes them and looks that they are gone. It returns nil only if
// the cache works. An application calls it at start: a client whose every write
// fails unnoticed looks like a cache that never hits, and is measured as a fast
// one.
//
// A cache that is full and busy may rightly evict a value right after its
// write. So a missing value is a failure unless the store counted evictions
// meanwhile.
func (c *Cache) Prove(ctx context.Context) error {
	for _, size := range []int{1, min(4096, c.maxValue)} {
		if err := c.proveSize(ctx, size); err != nil {
			return fmt.Errorf("cache does not work: %w", err)
		}
	}
	return nil
}

var errMissing = errors.New("was acknowledged and is not there")

func (c *Cache) proveSize(ctx context.Context, size int) error {
	err := c.proveOne(ctx, size)
	if !errors.Is(err, errMissing) {
		return err
	}
	// Only now, for a proxy may know no stats.
	before, statsErr := c.Stats(ctx)
	if statsErr != nil {
		return err
	}
	if err = c.proveOne(ctx, size); !errors.Is(err, errMissing) {
		return err
	}
	after, statsErr := c.Stats(ctx)
	if statsErr == nil && after.Evictions > before.Evictions {
		return nil
	}
	return err
}

func (c *Cache) proveOne(ctx context.Context, size int) error {
	key := "dayfly-prove-" + rand.Text()
	value := make([]byte, size)
	rand.Read(value) // never fails
	if size > 2 {
		copy(value, "\r\n") // what ends a line must not end a value
	}
	const flags = 0xdaf1
	if err := c.Set(ctx, &Item{Key: key, Value: value, Flags: flags, TTL: proveTTL}); err != nil {
		return err
	}
	got, err := c.Get(ctx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return fmt.Errorf("a value of %d bytes %w", size, errMissing)
	case err != nil:
		return err
	case !bytes.Equal(got.Value, value):
		return fmt.Errorf("a value of %d bytes came back changed (%d bytes)", size, len(got.Value))
	case got.Flags != flags:
		return fmt.Errorf("flags %#x came back as %#x", flags, got.Flags)
	}
	if err := c.Delete(ctx, key); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	switch _, err := c.Get(ctx, key); {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return errors.New("a deleted value is still there")
}
