package drivertest

import (
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// history makes records in every state, and returns what must be there after.
func (e *env) history(mark string) (kept []driver.Record, gone []string) {
	e.Helper()
	for i := range 24 {
		r := e.put(driver.Record{Key: fmt.Sprint("k", i), Value: []byte("first"), Mark: mark, Expires: ago(-time.Hour)})
		switch i % 4 {
		case 1:
			r.Value, r.Expires = []byte("second"), time.Time{}
			r = e.put(r)
		case 2:
			r.Expires = ago(time.Minute)
			e.put(r)
		case 3:
			e.ok(e.d.Delete(e.ctx, r.Key, r.Version))
		}
		if i%4 < 2 {
			kept = append(kept, r)
		} else {
			gone = append(gone, r.Key)
		}
	}
	return kept, gone
}

func (e *env) remembers(mark string, kept []driver.Record, gone []string) {
	e.Helper()
	var keys []string
	for _, r := range kept {
		e.is(r)
		keys = append(keys, r.Key)
	}
	e.lists(mark, keys...)
	for _, key := range gone {
		e.none(key)
		e.is(e.make(key, "anew"))
	}
	for _, r := range kept {
		e.refused(driver.Record{Key: r.Key})
		e.ok(e.d.Delete(e.ctx, r.Key, r.Version))
	}
}

var durableTests = map[string]func(*env){
	// Another driver opens the records after the first is gone.
	"Reopen": func(e *env) {
		if e.store.Another == nil {
			e.Skip("nothing is left when the driver is closed")
		}
		kept, gone := e.history("m")
		e.ok(e.d.Close())
		var err error
		if e.d, err = e.store.Another(); err != nil {
			e.Fatal(err)
		}
		e.remembers("m", kept, gone)
	},
	"CrashKeepsAcknowledged": func(e *env) {
		if e.store.Crash == nil {
			e.Skip("the driver has no such thing")
		}
		kept, gone := e.history("m")
		d, err := e.store.Crash()
		e.ok(err)
		e.d.Close() // as it may: it is dead
		e.d = d
		e.remembers("m", kept, gone)
	},
}
