package drivertest

import (
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// short is a ttl to wait for. In real time it is as short as memcached can
// hold for sure: its clock has ticks of a second.
func (s *suite) short() time.Duration {
	if s.Bubble {
		return time.Minute
	}
	return 2 * time.Second
}

func expiry(s *suite) {
	s.set("short", "x", s.short())
	s.set("long", "x", time.Hour)
	s.set("never", "x", 0)
	s.has("short", "x")
	s.goes("short", s.short())
	s.has("long", "x")
	s.has("never", "x")

	// What expired is absent for every condition.
	s.fails(s.store(driver.OpReplace, "short", "y"), driver.ErrNotStored)
	s.fails(s.c.Delete(s.ctx, "short"), driver.ErrNotFound)
	s.ok(s.store(driver.OpAdd, "short", "y"))
	s.has("short", "y")

	if s.Bubble {
		s.goes("long", time.Hour-s.short()-time.Second)
		s.has("never", "x")
	}
}

func expiryAtOnce(s *suite) {
	at := func(op driver.Op, token uint64) error {
		return s.c.Store(s.ctx, op, "a", driver.Item{Value: []byte("new"), CAS: token}, -time.Second)
	}
	s.ok(at(driver.OpAdd, 0))
	s.hasNot("a")
	s.set("a", "x", 0)
	s.fails(at(driver.OpAdd, 0), driver.ErrNotStored)
	s.ok(at(driver.OpSet, 0))
	s.hasNot("a")
	s.set("a", "x", 0)
	s.ok(at(driver.OpReplace, 0))
	s.hasNot("a")
	s.set("a", "x", 0)
	it, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	s.ok(at(driver.OpCompareAndSwap, it.CAS))
	s.hasNot("a")
	s.set("a", "x", 0)
	s.ok(s.c.Touch(s.ctx, "a", -time.Second))
	s.hasNot("a")
}

// expiryLong crosses the protocol's border of 30 days, beyond which a number
// of seconds would be taken for a time in 1970.
func expiryLong(s *suite) {
	const day = 24 * time.Hour
	for _, ttl := range []time.Duration{30*day - time.Second, 30 * day, 30*day + time.Second, 365 * day, 200 * 365 * day} {
		s.set("a", "x", ttl)
		s.has("a", "x")
		s.ok(s.c.Touch(s.ctx, "a", ttl))
		s.has("a", "x")
	}
	if s.Bubble {
		time.Sleep(2 * time.Hour)
		s.has("a", "x")
	}
}

func touch(s *suite) {
	s.fails(s.c.Touch(s.ctx, "a", time.Hour), driver.ErrNotFound)
	_, err := s.c.GetAndTouch(s.ctx, "a", time.Hour)
	s.fails(err, driver.ErrNotFound)
	s.hasNot("a")

	s.ok(s.c.Store(s.ctx, driver.OpSet, "a", driver.Item{Value: []byte("x"), Flags: 3}, time.Hour))
	before, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	it, err := s.c.GetAndTouch(s.ctx, "a", s.short())
	s.ok(err)
	if string(it.Value) != "x" || it.Flags != 3 || it.CAS != before.CAS {
		s.Fatalf("get and touch: %q, flags %d, token %d (before %d)", it.Value, it.Flags, it.CAS, before.CAS)
	}
	s.set("b", "x", time.Hour)
	s.ok(s.c.Touch(s.ctx, "b", s.short()))
	s.goes("a", s.short())
	s.hasNot("b")

	// And the other way: what would have gone stays.
	s.set("a", "x", s.short())
	s.ok(s.c.Touch(s.ctx, "a", 0))
	s.set("b", "x", s.short())
	s.goes("b", s.short())
	s.has("a", "x")
}

// expiryStays: writes within a value leave its end where it is.
func expiryStays(s *suite) {
	s.set("n", "1", s.short())
	s.set("a", "x", s.short())
	_, err := s.c.Increment(s.ctx, "n", 1)
	s.ok(err)
	s.ok(s.store(driver.OpAppend, "a", "y"))
	s.goes("n", s.short())
	s.hasNot("a")
	// A whole new value has a time of its own.
	s.set("a", "x", s.short())
	s.set("a", "y", 0)
	s.set("b", "x", s.short())
	s.goes("b", s.short())
	s.has("a", "y")
}
