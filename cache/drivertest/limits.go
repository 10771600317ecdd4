package drivertest

import (
	"bytes"
	"math/rand/v2"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

func sizes(s *suite) {
	src := rand.NewChaCha8([32]byte{1})
	for _, n := range []int{0, 1, 2, 100, 2047, 2048, 4095, 4096, 16383, 16384, 16385, 65536, 300_000, s.MaxValue} {
		value := make([]byte, n)
		src.Read(value) //nolint:errcheck // never fails
		s.ok(s.c.Store(s.ctx, driver.OpSet, "a", driver.Item{Value: value}, 0))
		it, err := s.c.Get(s.ctx, "a")
		s.ok(err)
		if !bytes.Equal(it.Value, value) {
			s.Fatalf("%d bytes came back as %d others", n, len(it.Value))
		}
	}
	tooMuch := make([]byte, 1<<20+1)
	for _, op := range []driver.Op{driver.OpSet, driver.OpAdd, driver.OpReplace} {
		err := s.c.Store(s.ctx, op, "big", driver.Item{Value: tooMuch}, 0)
		if op != driver.OpReplace {
			s.fails(err, driver.ErrTooLarge)
		} else if err == nil {
			s.Fatal("replace of nothing by too much was taken")
		}
		s.hasNot("big")
	}
	s.set("a", "still works", 0)
	s.has("a", "still works")
}

func anyBytes(s *suite) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, v := range []string{
		string(all), "\r\n", "\r\nEND\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n", "\x00", "x\r", "\n", "flush_all\r\n", "\r\n\r\n",
	} {
		s.set("a", v, 0)
		s.has("a", v)
		items, err := s.c.GetMulti(s.ctx, []string{"a", "b"})
		s.ok(err)
		if string(items["a"].Value) != v {
			s.Fatalf("%q came back as %q", v, items["a"].Value)
		}
	}
}
