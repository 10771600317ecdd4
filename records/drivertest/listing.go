package drivertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// list goes through all records that have a mark, n at a time.
func (e *env) list(mark string, n int, between func()) (all []driver.Record) {
	e.Helper()
	from := ""
	for pages := 0; ; pages++ {
		found, next, err := e.d.List(e.ctx, mark, from, n)
		if err != nil {
			e.Fatalf("list %q from %q: %v", mark, from, err)
		}
		if len(found) > n {
			e.Fatalf("list of %d returned %d", n, len(found))
		}
		all = append(all, found...)
		if next == "" {
			return all
		}
		if pages > 100_000 {
			e.Fatal("the listing does not end")
		}
		from = next
		if between != nil {
			between()
		}
	}
}

// lists checks which keys have a mark, asking for few and many at a time.
func (e *env) lists(mark string, keys ...string) {
	e.Helper()
	for _, n := range []int{1, 2, 1000} {
		if diff := gocmp.Diff(slices.Sorted(slices.Values(keys)), keysOf(e.list(mark, n, nil)), cmpopts.EquateEmpty()); diff != "" {
			e.Fatalf("with mark %q, %d at a time (-want +got):\n%s", mark, n, diff)
		}
	}
}

func keysOf(rs []driver.Record) (keys []string) {
	for _, r := range rs {
		keys = append(keys, r.Key)
	}
	slices.Sort(keys)
	return keys
}

var listingTests = map[string]func(*env){
	"ByMark": func(e *env) {
		e.lists("one")
		a := e.put(driver.Record{Key: "a", Mark: "one"})
		b := e.put(driver.Record{Key: "b", Mark: "one"})
		c := e.put(driver.Record{Key: "c", Mark: "two"})
		e.make("d", "without a mark")
		e.lists("one", "a", "b")
		e.lists("two", "c")
		e.lists("on")
		e.lists("one-")
		a.Mark = "two"
		a = e.put(a)
		e.lists("one", "b")
		e.lists("two", "a", "c")
		b.Mark = ""
		e.put(b)
		e.lists("one")
		e.ok(e.d.Delete(e.ctx, "c", c.Version))
		e.lists("two", "a")
		e.is(a)
	},
	"WholeRecords": func(e *env) {
		mark := e.mark()
		var want []driver.Record
		for i := range 7 {
			want = append(want, e.put(driver.Record{Key: fmt.Sprint("k", i), Mark: mark, Expires: ago(-time.Hour), Value: []byte(strings.Repeat("\x00v", i))}))
		}
		got := e.list(mark, 3, nil)
		slices.SortFunc(got, func(a, b driver.Record) int { return strings.Compare(a.Key, b.Key) })
		if diff := gocmp.Diff(want, got, sameBytes, sameTime); diff != "" {
			e.Fatalf("listed (-want +got):\n%s", diff)
		}
		r := got[3]
		r.Value = []byte("by the listed version")
		e.is(e.put(r))
	},
	"StrangeKeys": func(e *env) {
		mark := e.mark()
		keys := []string{"a", "A", "a ", " ", "/", "a/b", "é", "e\u0301", "🔑", "%2F", "\ufffd", "~", strings.Repeat("z", 512), strings.Repeat("я", 256)}
		for _, key := range keys {
			e.put(driver.Record{Key: key, Mark: mark})
		}
		e.lists(mark, keys...)
	},
	// Records that expired take no room in a page and end no listing.
	"AmongExpired": func(e *env) {
		mark := e.mark()
		var kept []string
		for i := range 20 {
			r := driver.Record{Key: fmt.Sprintf("%02d", i), Mark: mark}
			if i%4 == 3 {
				kept = append(kept, r.Key)
			} else {
				r.Expires = ago(time.Minute)
			}
			e.put(r)
		}
		e.lists(mark, kept...)
	},
	"LongestMark": func(e *env) {
		long := strings.Repeat("m", 63)
		e.put(driver.Record{Key: "a", Mark: long + "a"})
		e.put(driver.Record{Key: "b", Mark: long + "b"})
		e.lists(long+"a", "a")
		e.lists(long)
	},
	// Values that are large make pages of fewer than asked for, and lose nothing.
	"LargeValues": func(e *env) {
		mark := e.mark()
		var keys []string
		for i := range 24 {
			r := e.put(driver.Record{Key: fmt.Sprint("k", i), Mark: mark, Value: make([]byte, 256<<10)})
			keys = append(keys, r.Key)
		}
		slices.Sort(keys)
		if diff := gocmp.Diff(keys, keysOf(e.list(mark, 1000, nil))); diff != "" {
			e.Fatalf("(-want +got):\n%s", diff)
		}
	},
	// What keeps its mark is listed once, whatever is written around it and to it.
	"UnderChange": func(e *env) {
		mark, stable := e.mark(), map[string]bool{}
		var written, passing []driver.Record
		for i := range 30 {
			r := e.put(driver.Record{Key: fmt.Sprintf("%02d", i), Mark: mark, Value: []byte("0")})
			switch i % 3 {
			case 0: // nobody touches it
				stable[r.Key] = true
			case 1:
				stable[r.Key] = true
				written = append(written, r)
			case 2:
				passing = append(passing, r)
			}
		}
		step := 0
		all := e.list(mark, 4, func() {
			for i := range written { // also where the listing is
				written[i].Value = fmt.Append(nil, step)
				written[i] = e.put(written[i])
			}
			if step < len(passing) {
				if r := passing[step]; step%2 == 0 {
					e.ok(e.d.Delete(e.ctx, r.Key, r.Version))
				} else {
					r.Mark = ""
					e.put(r)
				}
				if step%3 == 0 { // not as many come as go, so that places shift
					e.put(driver.Record{Key: fmt.Sprintf("%02d-new", step*3), Mark: mark})
				}
			}
			step++
		})
		e.eachOnce(all, stable)
	},
	// The same with writers that do not wait for the listing.
	"UnderConcurrentChange": func(e *env) {
		mark, stable := e.mark(), map[string]bool{}
		for i := range 20 {
			r := e.put(driver.Record{Key: fmt.Sprintf("%02d", i), Mark: mark})
			stable[r.Key] = true
		}
		var writers sync.WaitGroup
		for w := range 3 {
			writers.Go(func() {
				for i := range e.h.Rounds {
					e.rewrite(fmt.Sprintf("%02d", (i*7+w)%20))
					r := driver.Record{Key: fmt.Sprintf("%02d-%d-%d", i%20, w, i), Mark: mark}
					version, err := e.d.Put(e.ctx, r)
					if err == nil && i%2 == 0 {
						err = e.d.Delete(e.ctx, r.Key, version)
					}
					if err != nil {
						e.Error(err)
					}
				}
			})
		}
		for range 5 {
			e.eachOnce(e.list(mark, 3, nil), stable)
		}
		writers.Wait()
	},
}

// rewrite writes a record as it is, if nobody else does.
func (e *env) rewrite(key string) {
	r, err := e.d.Get(e.ctx, key)
	if err == nil {
		_, err = e.d.Put(e.ctx, r)
	}
	if err != nil && !isConflict(err) {
		e.Errorf("rewrite %q: %v", key, err)
	}
}

func (e *env) eachOnce(all []driver.Record, stable map[string]bool) {
	e.Helper()
	times := map[string]int{}
	for _, r := range all {
		times[r.Key]++
	}
	for key, n := range times {
		if n > 1 {
			e.Errorf("%q is listed %d times", key, n)
		}
	}
	for key := range stable {
		if times[key] == 0 {
			e.Errorf("%q is not listed", key)
		}
	}
}
