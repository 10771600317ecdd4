package drivertest

import "github.com/dayfly-dev/dayfly/cache/driver"

func conditions(s *suite) {
	s.fails(s.store(driver.OpReplace, "a", "x"), driver.ErrNotStored)
	s.hasNot("a")
	s.ok(s.store(driver.OpAdd, "a", "added"))
	s.has("a", "added")
	s.fails(s.store(driver.OpAdd, "a", "again"), driver.ErrNotStored)
	s.has("a", "added")
	s.ok(s.store(driver.OpReplace, "a", "replaced"))
	s.has("a", "replaced")
	s.ok(s.c.Delete(s.ctx, "a"))
	s.ok(s.store(driver.OpAdd, "a", "anew"))
	s.has("a", "anew")
}

func appendPrepend(s *suite) {
	s.fails(s.store(driver.OpAppend, "a", "x"), driver.ErrNotStored)
	s.fails(s.store(driver.OpPrepend, "a", "x"), driver.ErrNotStored)
	s.hasNot("a")
	s.ok(s.c.Store(s.ctx, driver.OpSet, "a", driver.Item{Value: []byte("b"), Flags: 7}, 0))
	before, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	s.ok(s.store(driver.OpAppend, "a", "c"))
	s.ok(s.store(driver.OpPrepend, "a", "a"))
	s.has("a", "abc")
	after, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	if after.Flags != 7 || after.CAS == before.CAS {
		s.Fatalf("flags %d, want those of before; token %d, before %d", after.Flags, after.CAS, before.CAS)
	}
}

func compareAndSwap(s *suite) {
	swap := func(it driver.Item, value string) error {
		it.Value = []byte(value)
		return s.c.Store(s.ctx, driver.OpCompareAndSwap, "a", it, 0)
	}
	s.fails(swap(driver.Item{CAS: 1}, "x"), driver.ErrNotFound)
	s.set("a", "one", 0)
	first, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	s.ok(swap(first, "two"))
	s.has("a", "two")
	s.fails(swap(first, "three"), driver.ErrConflict)
	s.has("a", "two")

	// The same bytes written again are another state.
	second, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	s.set("a", "two", 0)
	s.fails(swap(second, "three"), driver.ErrConflict)

	third, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	s.ok(s.c.Delete(s.ctx, "a"))
	s.fails(swap(third, "three"), driver.ErrNotFound)
	s.hasNot("a")

	// GetMulti gives tokens too.
	s.set("a", "one", 0)
	items, err := s.c.GetMulti(s.ctx, []string{"a"})
	s.ok(err)
	s.ok(swap(items["a"], "two"))
}
