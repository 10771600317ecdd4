package drivertest

import (
	"strings"
	"unicode"

	"github.com/dayfly-dev/dayfly/records/driver"
)

var conditionTests = map[string]func(*env){
	"MakeWhereThereIsOne": func(e *env) {
		r := e.make("a", "one")
		e.refused(driver.Record{Key: "a", Value: []byte("two")})
		e.is(r)
	},
	"WriteWhereThereIsNone": func(e *env) {
		b := e.make("b", "other")
		e.refused(driver.Record{Key: "a", Value: []byte("x"), Version: b.Version})
		e.none("a")
		a := e.make("a", "x")
		e.ok(e.d.Delete(e.ctx, "a", a.Version))
		e.refused(a)
		e.none("a")
	},
	"OldVersion": func(e *env) {
		first := e.make("a", "one")
		second := first
		second.Value = []byte("two")
		second = e.put(second)
		e.refused(driver.Record{Key: "a", Value: []byte("three"), Version: first.Version, Mark: "m"})
		e.is(second)
		e.fails(e.d.Delete(e.ctx, "a", first.Version), driver.ErrConflict)
		e.is(second)
	},
	"DeleteWhereThereIsNone": func(e *env) {
		r := e.make("a", "one")
		e.fails(e.d.Delete(e.ctx, "b", r.Version), driver.ErrConflict)
		e.ok(e.d.Delete(e.ctx, "a", r.Version))
		e.fails(e.d.Delete(e.ctx, "a", r.Version), driver.ErrConflict)
	},
	// A version is compared byte by byte, and no pattern.
	"LikeVersions": func(e *env) {
		r := e.make("a", "one")
		v := r.Version
		for _, like := range []string{
			v + " ", " " + v, swapCase(v), v[:len(v)-1], v[1:], v + "x", `"` + v + `"`, `W/"` + v + `"`, "*", "%", "_", "' OR ''='", `" OR ""="`,
			"null", "0", "1", "true", `\`, "none", v + "," + v, strings.Repeat("v", 128), strings.Repeat("*", 128), strings.Repeat("~", 128),
		} {
			if like == v || like == "" {
				continue // no letters in it, or one byte long
			}
			if len(like) > 128 {
				continue
			}
			e.refused(driver.Record{Key: "a", Value: []byte("two"), Version: like})
			e.fails(e.d.Delete(e.ctx, "a", like), driver.ErrConflict)
		}
		e.is(r)
	},
	"VersionOfAnotherKey": func(e *env) {
		a, b := e.make("a", "same"), e.make("b", "same")
		if a.Version == b.Version {
			e.Fatalf("two keys are at version %q", a.Version)
		}
		e.refused(driver.Record{Key: "a", Value: []byte("two"), Version: b.Version})
		e.fails(e.d.Delete(e.ctx, "b", a.Version), driver.ErrConflict)
		e.is(a)
		e.is(b)
	},
	// Deleted and made again with the same value, by any driver on the records, a
	// record is at a version of its own.
	"VersionsNeverComeBack": func(e *env) {
		seen := map[string]bool{}
		drivers := []driver.Store{e.d, e.another(), e.another()}
		at := ""
		for i := range 30 {
			d := drivers[i%len(drivers)]
			version, err := d.Put(e.ctx, driver.Record{Key: "a", Value: []byte("same"), Version: at})
			e.ok(err)
			if seen[version] {
				e.Fatalf("write %d is at version %q, as one before", i, version)
			}
			seen[version] = true
			if at = version; i%3 != 1 {
				e.ok(d.Delete(e.ctx, "a", version))
				at = ""
			}
		}
		for version := range seen {
			if version != at {
				e.refused(driver.Record{Key: "a", Value: []byte("other"), Version: version})
			}
		}
	},
	// A conflict wrote nothing, not even beside the value.
	"ConflictChangesNothing": func(e *env) {
		mark, other := e.mark(), e.mark()
		first := e.put(driver.Record{Key: "a", Value: []byte("one"), Mark: mark})
		r := e.put(first)
		e.refused(driver.Record{Key: "a", Value: []byte("two"), Mark: other, Expires: ago(0), Version: first.Version})
		e.refused(driver.Record{Key: "a", Value: []byte("two"), Mark: other, Expires: ago(0)})
		e.is(r)
		e.lists(mark, "a")
		e.lists(other)
	},
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}
