package drivertest

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

var basicTests = map[string]func(*env){
	"PutGetDelete": func(e *env) {
		e.none("a")
		a := e.put(driver.Record{Key: "a", Value: []byte("one"), Mark: "m", Expires: ago(-time.Hour)})
		e.is(a)
		b := e.make("b", "other")
		a.Value, a.Mark, a.Expires = []byte("two"), "", time.Time{}
		a = e.put(a)
		e.is(a)
		e.is(b)
		e.ok(e.d.Delete(e.ctx, "a", a.Version))
		e.none("a")
		e.is(b)
		e.is(e.make("a", "three"))
	},
	// What a record has beside its value is written anew each time.
	"AllFieldsReplaced": func(e *env) {
		r := e.make("a", "x")
		for _, change := range []driver.Record{
			{Mark: "one", Expires: ago(-2 * time.Hour)},
			{Mark: "two"},
			{Expires: ago(-3 * time.Hour), Value: []byte("y")},
			{},
			{Mark: "one", Value: []byte("z"), Expires: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		} {
			change.Key, change.Version = r.Key, r.Version
			r = e.put(change)
			e.is(r)
		}
	},
	"EqualValueIsAWrite": func(e *env) {
		first := e.make("a", "same")
		second := e.put(first)
		e.refused(first)
		e.is(second)
	},
	"Keys": func(e *env) {
		var made []driver.Record
		for _, key := range []string{
			"x", "X", "x ", " x", "x.", ".", "..", "../x", "/", "/x", "x/", "x//y", "x/../y", `\`, `x\0`, `'"`, "%", "%2F", "%00", "_", "?a=b&c", "#", "+",
			"a+b c", "*", "[x]", "{x}", "<x>", "&amp;", ";--", "$1", "?1", ":x", "@x", "~", "=", "é", "e\u0301", "ключ-鍵-🔑", "ß", "ss", "İ", "ı",
			"\ufeff", "\u200b", "x\u200b", "\ufffd", strings.Repeat("k", 512), strings.Repeat("k", 511) + "l", strings.Repeat("ю", 256),
			strings.Repeat("🔑", 128), strings.Repeat("/", 512), strings.Repeat(" ", 512),
		} {
			e.none(key)
			made = append(made, e.make(key, "of "+key))
		}
		for _, r := range made {
			e.is(r)
			e.refused(driver.Record{Key: r.Key, Value: []byte("again")})
		}
		for i, r := range made {
			e.ok(e.d.Delete(e.ctx, r.Key, r.Version))
			e.none(r.Key)
			if i+1 < len(made) {
				e.is(made[i+1])
			}
		}
	},
	"AnyBytes": func(e *env) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		r := e.make("a", "")
		for _, value := range []string{
			string(all), "\x00", "\x00x", "x\x00", "\xff\xfe", "'", `\`, `\x41`, "\r\n", " ", "x ", `{"a":1}`, "", "0", "null", "\x1f\x8b\x08",
		} {
			r.Value = []byte(value)
			r = e.put(r)
			e.is(r)
		}
	},
	// Who is given a slice may change it, and so may who gave one.
	"NothingRetained": func(e *env) {
		value := []byte("before")
		r := e.put(driver.Record{Key: "a", Value: value, Mark: "m"})
		copy(value, "AFTER!")
		r.Value = []byte("before")
		e.is(r)
		got, err := e.d.Get(e.ctx, "a")
		e.ok(err)
		copy(got.Value, "AFTER!")
		e.is(r)
		found, _, err := e.d.List(e.ctx, "m", "", 10)
		e.ok(err)
		copy(found[0].Value, "AFTER!")
		e.is(r)
		kept, err := e.d.Get(e.ctx, "a")
		e.ok(err)
		r.Value = []byte("later!")
		e.put(r)
		if string(kept.Value) != "before" {
			e.Fatalf("a value read earlier turned into %q", kept.Value)
		}
	},
	// Another process sees each write at once.
	"SeenByAnother": func(e *env) {
		other := e.another()
		r := e.make("a", "0")
		for range e.h.Rounds {
			got, err := other.Get(e.ctx, "a")
			e.ok(err)
			if got.Version != r.Version || string(got.Value) != string(r.Value) {
				e.Fatalf("another reads %q at %q; written before is %q at %q", got.Value, got.Version, r.Value, r.Version)
			}
			got.Value = []byte(rand.Text())
			if got.Version, err = other.Put(e.ctx, got); err != nil {
				e.Fatal(err)
			}
			e.is(got)
			r = got
			r.Value = []byte(rand.Text())
			r = e.put(r)
		}
	},
}
