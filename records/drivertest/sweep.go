package drivertest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// needSweep skips what a service does by itself, after a look that it says so.
func (e *env) needSweep() {
	e.Helper()
	if !e.h.SweepsItself {
		return
	}
	e.put(driver.Record{Key: "swept", Expires: ago(3 * time.Hour)})
	if n, err := e.d.Sweep(e.ctx, 10); n != 0 || err != nil {
		e.Fatalf("sweep: %d, %v; want nothing, as the service does it", n, err)
	}
	e.Skip("the service sweeps by itself")
}

// sweep removes until nothing is found, and returns how many.
func (e *env) sweep(n int) (all int) {
	e.Helper()
	for {
		removed, err := e.d.Sweep(e.ctx, n)
		if err != nil {
			e.Fatal(err)
		}
		if removed < 0 || removed > n {
			e.Fatalf("a sweep of %d removed %d", n, removed)
		}
		if removed == 0 {
			return all
		}
		all += removed
	}
}

var sweepTests = map[string]func(*env){
	// What a clock that is an hour ahead holds to be expired is left.
	"OnlyLongExpired": func(e *env) {
		e.needSweep()
		mark := e.mark()
		kept := e.put(driver.Record{Key: "never", Mark: mark})
		later := e.put(driver.Record{Key: "later", Mark: mark, Expires: ago(-time.Hour)})
		e.put(driver.Record{Key: "just", Mark: mark, Expires: ago(59 * time.Minute)})
		for i := range 7 {
			e.put(driver.Record{Key: fmt.Sprint("long", i), Mark: mark, Expires: ago(61*time.Minute + time.Duration(i)*24*time.Hour)})
		}
		if n := e.sweep(3); n != 7 {
			e.Fatalf("swept %d, want 7", n)
		}
		e.is(kept)
		e.is(later)
		e.lists(mark, "later", "never")
		e.none("just")
	},
	"Limit": func(e *env) {
		e.needSweep()
		for i := range 5 {
			e.put(driver.Record{Key: fmt.Sprint("k", i), Expires: ago(2 * time.Hour)})
		}
		if n, err := e.d.Sweep(e.ctx, 2); err != nil || n > 2 {
			e.Fatalf("a sweep of 2: %d, %v", n, err)
		}
		e.sweep(1000)
		if n, err := e.d.Sweep(e.ctx, 1000); n != 0 || err != nil {
			e.Fatalf("a sweep of nothing: %d, %v", n, err)
		}
	},
	// A record that is renewed while others sweep is not removed.
	"RenewedMeanwhile": func(e *env) {
		e.needSweep()
		records := min(40, 2*e.h.Rounds)
		old := make([]driver.Record, records)
		for i := range old {
			old[i] = e.put(driver.Record{Key: fmt.Sprintf("%02d", i), Expires: ago(2 * time.Hour)})
		}
		other := e.another()
		renewed := make([]string, records)
		var removed atomic.Int64
		together(func(w int) {
			switch w {
			case 0, 1:
				for range records {
					n, err := other.Sweep(e.ctx, 3)
					removed.Add(int64(n))
					if err != nil {
						e.Error(err)
					}
				}
			default:
				for i := w - 2; i < records; i += workers - 2 {
					version, err := e.d.Put(e.ctx, driver.Record{Key: old[i].Key, Value: []byte("new")})
					if err != nil {
						e.Errorf("renew %q: %v", old[i].Key, err)
					}
					renewed[i] = version
				}
			}
		})
		removed.Add(int64(e.sweep(1000)))
		if removed.Load() > int64(records) {
			e.Errorf("%d records were removed, of %d", removed.Load(), records)
		}
		for i, version := range renewed {
			e.is(driver.Record{Key: old[i].Key, Value: []byte("new"), Version: version})
		}
	},
}
