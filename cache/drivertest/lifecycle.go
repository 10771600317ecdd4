package drivertest

import (
	"context"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

func stats(s *suite) {
	before, err := s.c.Stats(s.ctx)
	s.ok(err)
	s.set("a", "0123456789", 0)
	s.set("b", "0123456789", 0)
	s.has("a", "0123456789")
	s.has("b", "0123456789")
	s.has("b", "0123456789")
	s.hasNot("c")
	after, err := s.c.Stats(s.ctx)
	s.ok(err)
	for _, n := range []struct {
		name      string
		got, want uint64
	}{
		{"Items", after.Items - before.Items, 2},
		{"Hits", after.Hits - before.Hits, 3},
		{"Misses", after.Misses - before.Misses, 1},
		{"Stores", after.Stores - before.Stores, 2},
		{"Evictions", after.Evictions, 0},
	} {
		if n.got != n.want {
			s.Errorf("%s: %d, want %d", n.name, n.got, n.want)
		}
	}
	if held := after.Bytes - before.Bytes; held < 20 || held > 2000 || after.MaxBytes < 1<<20 {
		s.Errorf("two values of 10 bytes hold %d of %d", held, after.MaxBytes)
	}
	s.ok(s.c.Flush(s.ctx, 0))
	flushed, err := s.c.Stats(s.ctx)
	s.ok(err)
	if flushed.Flushes-before.Flushes != 1 {
		s.Errorf("flushes: %d, before %d", flushed.Flushes, before.Flushes)
	}
}

func closing(s *suite) {
	s.set("a", "x", 0)
	s.ok(s.c.Flush(s.ctx, time.Hour)) // must not outlive the driver
	s.ok(s.c.Close())
	s.ok(s.c.Close())
	_, err := s.c.Get(s.ctx, "a")
	s.fails(err, driver.ErrClosed)
	_, err = s.c.GetMulti(s.ctx, []string{"a"})
	s.fails(err, driver.ErrClosed)
	_, err = s.c.GetAndTouch(s.ctx, "a", 0)
	s.fails(err, driver.ErrClosed)
	s.fails(s.store(driver.OpSet, "a", "x"), driver.ErrClosed)
	s.fails(s.store(driver.OpAdd, "a", "x"), driver.ErrClosed)
	_, err = s.c.Increment(s.ctx, "a", 1)
	s.fails(err, driver.ErrClosed)
	_, err = s.c.Decrement(s.ctx, "a", 1)
	s.fails(err, driver.ErrClosed)
	s.fails(s.c.Touch(s.ctx, "a", 0), driver.ErrClosed)
	s.fails(s.c.Delete(s.ctx, "a"), driver.ErrClosed)
	s.fails(s.c.Flush(s.ctx, 0), driver.ErrClosed)
	_, err = s.c.Stats(s.ctx)
	s.fails(err, driver.ErrClosed)
}

// contextEnds: an operation whose context is over leaves the driver usable.
func contextEnds(s *suite) {
	s.set("a", "x", 0)
	over, cancel := context.WithCancel(s.ctx)
	cancel()
	for range 100 { // more than a pool has connections
		if _, err := s.c.Get(over, "a"); err != nil {
			s.fails(err, context.Canceled)
		}
	}
	s.has("a", "x")
}
