package drivertest

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

func getSetDelete(s *suite) {
	s.hasNot("a")
	s.fails(s.c.Delete(s.ctx, "a"), driver.ErrNotFound)
	s.ok(s.c.Store(s.ctx, driver.OpSet, "a", driver.Item{Value: []byte("one"), Flags: 1<<32 - 1}, 0))
	it, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	if string(it.Value) != "one" || it.Flags != 1<<32-1 || it.CAS == 0 {
		s.Fatalf("got %q, flags %d, token %d", it.Value, it.Flags, it.CAS)
	}
	s.set("a", "two", 0)
	s.has("a", "two")
	if again, _ := s.c.Get(s.ctx, "a"); again.CAS == it.CAS || again.Flags != 0 {
		s.Fatalf("a new value has token %d (before %d) and flags %d", again.CAS, it.CAS, again.Flags)
	}
	s.set("b", "three", 0)
	s.ok(s.c.Delete(s.ctx, "a"))
	s.hasNot("a")
	s.has("b", "three")
}

func getMulti(s *suite) {
	want := map[string]string{}
	var keys []string
	for i := range 350 { // more than one line of the protocol takes
		key := fmt.Sprintf("key-%03d-%s", i, strings.Repeat("k", i%200))
		keys = append(keys, key)
		if i%3 != 0 {
			s.set(key, fmt.Sprint("value ", i), 0)
			want[key] = fmt.Sprint("value ", i)
		}
	}
	keys = append(keys, keys[1], keys[1]) // asked for again
	got := map[string]string{}
	items, err := s.c.GetMulti(s.ctx, keys)
	s.ok(err)
	for key, it := range items {
		got[key] = string(it.Value)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Fatal(diff)
	}
	items, err = s.c.GetMulti(s.ctx, []string{"missing"})
	if err != nil || len(items) != 0 {
		s.Fatalf("missing keys: %v, %v", items, err)
	}
}

func keys(s *suite) {
	for _, key := range []string{
		"x", strings.Repeat("k", 250), "ключ-鍵-🔑", "a:b/c?d=e&f", `quote"s'`, "END", "noreply", "0", "\xff\xfe",
	} {
		s.hasNot(key)
		s.set(key, "of "+key, 0)
		s.has(key, "of "+key)
	}
	s.set("case", "lower", 0)
	s.hasNot("CASE")
}

// nothingRetained changes arguments after the call.
func nothingRetained(s *suite) {
	value := []byte("before")
	s.ok(s.c.Store(s.ctx, driver.OpSet, "a", driver.Item{Value: value}, 0))
	copy(value, "AFTER!")
	s.has("a", "before")
	more := []byte("+more")
	s.ok(s.c.Store(s.ctx, driver.OpAppend, "a", driver.Item{Value: more}, 0))
	copy(more, "XXXXX")
	s.has("a", "before+more")
	// A value that was handed out stays what it was while the key goes on.
	it, err := s.c.Get(s.ctx, "a")
	s.ok(err)
	s.set("a", "later value", 0)
	s.ok(s.store(driver.OpAppend, "a", "!"))
	if string(it.Value) != "before+more" {
		s.Fatalf("a value read earlier turned into %q", it.Value)
	}
}
