package drivertest

import (
	"fmt"
	"time"
)

func flush(s *suite) {
	other := s.Open(s.T) // another named cache of the same kind
	for i := range 500 {
		s.set(fmt.Sprint("k", i), "x", 0)
	}
	mine := s.c
	s.c = other
	s.set("k1", "other", 0)
	s.c = mine
	s.ok(s.c.Flush(s.ctx, 0))
	for i := range 500 {
		s.hasNot(fmt.Sprint("k", i))
	}
	s.set("k1", "new", 0)
	s.has("k1", "new")
	s.c = other
	s.has("k1", "other")
	s.c = mine
}

func flushLater(s *suite) {
	s.set("a", "x", 0)
	s.ok(s.c.Flush(s.ctx, s.short()))
	s.set("meanwhile", "x", 0)
	s.has("a", "x")
	s.goes("a", s.short())
	s.hasNot("meanwhile")
	if s.Bubble { // memcached also drops what comes within the same second
		s.set("after", "x", 0)
		s.has("after", "x")
		time.Sleep(time.Hour)
		s.has("after", "x")
		// A later flush takes the place of one that is to come.
		s.ok(s.c.Flush(s.ctx, time.Minute))
		s.ok(s.c.Flush(s.ctx, time.Hour))
		s.goes("after", time.Hour)
	}
}
