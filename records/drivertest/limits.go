package drivertest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

var limitTests = map[string]func(*env){
	"ValueSizes": func(e *env) {
		src := rand.NewChaCha8([32]byte{1})
		r := e.make("a", "")
		for _, n := range []int{0, 1, 255, 256, 4095, 4096, 65535, 65536, 65537, 200_000, 256<<10 - 1, 256 << 10} {
			r.Value = make([]byte, n)
			src.Read(r.Value) //nolint:errcheck // never fails
			r = e.put(r)
			e.is(r)
		}
	},
	// Everything is as long as it may be.
	"Largest": func(e *env) {
		mark := strings.Repeat("m", 64)
		r := e.put(driver.Record{Key: strings.Repeat("🔑", 128), Value: make([]byte, 256<<10), Mark: mark,
			Expires: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)})
		e.is(r)
		e.lists(mark, r.Key)
		r = e.put(r)
		e.ok(e.d.Delete(e.ctx, r.Key, r.Version))
	},
	"Expiries": func(e *env) {
		r := e.make("a", "")
		for _, at := range []time.Time{
			ago(-time.Minute), time.Date(2038, 1, 19, 3, 14, 7, 0, time.UTC), time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
			time.Date(2106, 2, 7, 6, 28, 16, 0, time.UTC), time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC), {},
		} {
			r.Expires = at
			r = e.put(r)
			e.is(r)
		}
		r.Expires = time.Unix(1, 0).UTC()
		e.put(r)
		e.none("a")
	},
	// More records of a mark than a page has.
	"ManyOfAMark": func(e *env) {
		mark := e.mark()
		n := 20 * e.h.Rounds
		made := make([]string, n)
		together(func(w int) {
			for i := w; i < n; i += workers {
				made[i] = fmt.Sprint("key ", i)
				if _, err := e.d.Put(e.ctx, driver.Record{Key: made[i], Mark: mark}); err != nil {
					e.Error(err)
				}
			}
		})
		want := map[string]bool{}
		for _, key := range made {
			want[key] = true
		}
		all := e.list(mark, 1000, nil)
		e.eachOnce(all, want)
		if len(all) != n {
			e.Errorf("%d listed of %d", len(all), n)
		}
	},
}
