package drivertest

import (
	"context"
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

var lifecycleTests = map[string]func(*env){
	"Closed": func(e *env) {
		r := e.make("a", "x")
		e.ok(e.d.Close())
		e.ok(e.d.Close())
		_, err := e.d.Get(e.ctx, "a")
		e.fails(err, driver.ErrClosed)
		_, err = e.d.Put(e.ctx, r)
		e.fails(err, driver.ErrClosed)
		e.fails(e.d.Delete(e.ctx, "a", r.Version), driver.ErrClosed)
		_, _, err = e.d.List(e.ctx, "m", "", 1)
		e.fails(err, driver.ErrClosed)
		_, err = e.d.Sweep(e.ctx, 1)
		e.fails(err, driver.ErrClosed)
	},
	// Closing one driver leaves the others on the records.
	"CloseLeavesOthers": func(e *env) {
		if e.store.Another == nil {
			e.Skip("one driver has these records for itself")
		}
		r := e.make("a", "x")
		e.ok(e.another().Close())
		e.is(r)
		e.is(e.put(r))
	},
	// Calls under way when the driver is closed end, with any result.
	"CloseWhileUsed": func(e *env) {
		together(func(w int) {
			if w == 0 {
				for range e.h.Rounds {
					if _, err := e.d.Get(e.ctx, "a"); err != nil && !errors.Is(err, driver.ErrNotFound) {
						e.Error(err)
					}
				}
				if err := e.d.Close(); err != nil {
					e.Error(err)
				}
				return
			}
			for {
				r, err := e.d.Get(e.ctx, "a")
				if err == nil || errors.Is(err, driver.ErrNotFound) {
					r.Key = "a"
					_, err = e.d.Put(e.ctx, r)
				}
				if err != nil && !isConflict(err) {
					break
				}
			}
			if _, err := e.d.Get(e.ctx, "a"); !errors.Is(err, driver.ErrClosed) {
				e.Errorf("get after the end: %v, want ErrClosed", err)
			}
		})
	},
	// A context that ended ends the call, wrote nothing if it had ended before,
	// and leaves the driver usable.
	"ContextEnded": func(e *env) {
		r := e.make("a", "x")
		over, cancel := context.WithCancel(e.ctx)
		cancel()
		late, cancelLate := context.WithDeadline(e.ctx, time.Now().Add(-time.Second))
		defer cancelLate()
		for range 20 { // more than a pool has connections
			for ctx, want := range map[context.Context]error{over: context.Canceled, late: context.DeadlineExceeded} {
				_, err := e.d.Get(ctx, "a")
				e.fails(err, want)
				_, err = e.d.Put(ctx, driver.Record{Key: "a", Value: []byte("y"), Version: r.Version})
				e.fails(err, want)
				e.fails(e.d.Delete(ctx, "a", r.Version), want)
				_, _, err = e.d.List(ctx, "m", "", 1)
				e.fails(err, want)
			}
		}
		e.is(r)
		e.is(e.put(r))
	},
	// Contexts that end in the middle of writes: each happened or not, and what
	// was told to have happened has.
	"ContextEndsDuring": func(e *env) {
		r := e.make("a", "0")
		for i := range e.h.Rounds {
			ctx, cancel := context.WithTimeout(e.ctx, time.Duration(i*i)*20*time.Microsecond)
			tried := r
			tried.Value = append([]byte("try "), byte('0'+i%10))
			version, err := e.d.Put(ctx, tried)
			cancel()
			if err == nil {
				tried.Version = version
				r = tried
				e.is(r)
				continue
			}
			if isConflict(err) || errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrClosed) {
				e.Fatalf("a write that nobody was in the way of: %v", err)
			}
			// It may still be on its way; a write on top bars it.
			r = e.settle("a")
		}
	},
}

// settle writes a record on top of what is there, until no write that is late
// comes between.
func (e *env) settle(key string) driver.Record {
	e.Helper()
	for range 100 {
		r, err := e.d.Get(e.ctx, key)
		if errors.Is(err, driver.ErrNotFound) {
			r, err = driver.Record{Key: key}, nil
		}
		e.ok(err)
		r.Value = append([]byte("settled "), r.Value[:min(len(r.Value), 16)]...)
		if r.Version, err = e.d.Put(e.ctx, r); err == nil {
			e.is(r)
			return r
		} else if !isConflict(err) {
			e.Fatal(err)
		}
	}
	e.Fatalf("%q changes for ever", key)
	return driver.Record{}
}
