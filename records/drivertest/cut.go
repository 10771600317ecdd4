package drivertest

import (
	"errors"
	"fmt"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// cuts prepares and then does something with the connection cut at the first
// packet, at the second and so on, until it is done without having come to the
// cut; then it checks.
func (e *env) cuts(prepare func(n int) (do, check func())) {
	e.Helper()
	if e.store.Cut == nil {
		e.Skip("the driver has no connection that could be cut")
	}
	for n := 0; ; n++ {
		do, check := prepare(n)
		restore := e.store.Cut(n)
		do()
		cut := restore()
		check()
		switch {
		case !cut && n == 0:
			e.Fatal("nothing was cut: the operation does not use the connection")
		case !cut:
			return
		case n == 100:
			e.Fatal("an operation of over a hundred packets")
		}
	}
}

// honest checks that a write that nobody was in the way of did not fail with
// an error that says it did not happen.
func (e *env) honest(err error, happened bool) {
	e.Helper()
	switch definite := isConflict(err) || errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrClosed); {
	case err == nil && !happened:
		e.Fatal("a write that returned nil did not happen")
	case definite && happened:
		e.Fatalf("a write that happened failed with %v: it was repeated after its answer was lost", err)
	case definite:
		e.Fatalf("a write that nobody was in the way of failed with %v", err)
	}
}

// cutWrite cuts a write: of a record with the value "old", or of none.
func (e *env) cutWrite(exists bool, write func(driver.Record) error, leaves string) {
	e.cuts(func(n int) (do, check func()) {
		r := driver.Record{Key: fmt.Sprint("k", n)}
		if exists {
			r = e.make(r.Key, "old")
		}
		r.Value = []byte("new")
		var err error
		return func() { err = write(r) }, func() {
			// It may still be on its way; a write on top of what is read bars it.
			after := e.settle(r.Key)
			e.honest(err, string(after.Value) == "settled "+leaves)
			e.is(after)
		}
	})
}

var cutTests = map[string]func(*env){
	"Make": func(e *env) {
		e.cutWrite(false, func(r driver.Record) error { _, err := e.d.Put(e.ctx, r); return err }, "new")
	},
	"Write": func(e *env) {
		e.cutWrite(true, func(r driver.Record) error { _, err := e.d.Put(e.ctx, r); return err }, "new")
	},
	"Delete": func(e *env) {
		e.cutWrite(true, func(r driver.Record) error { return e.d.Delete(e.ctx, r.Key, r.Version) }, "")
	},
	// Reads fail or tell the truth, and the driver finds the service again.
	"Reads": func(e *env) {
		r := e.put(driver.Record{Key: "a", Value: []byte("x"), Mark: "m"})
		e.cuts(func(int) (do, check func()) {
			return func() {
				got, err := e.d.Get(e.ctx, "a")
				if errors.Is(err, driver.ErrNotFound) || err == nil && got.Version != r.Version {
					e.Fatalf("read %q at %q, %v", got.Value, got.Version, err)
				}
			}, func() { e.is(r) }
		})
		e.cuts(func(int) (do, check func()) {
			return func() {
				found, next, err := e.d.List(e.ctx, "m", "", 10)
				if err == nil && len(found) == 0 && next == "" {
					e.Fatal("listed nothing, and no error")
				}
			}, func() { e.is(r) }
		})
		e.lists("m", "a")
	},
	// Many write while connections break again and again.
	"Linearizable": func(e *env) {
		if e.store.Cut == nil {
			e.Skip("the driver has no connection that could be cut")
		}
		h := newHistory(e)
		restore := func() bool { return false }
		together(func(w int) {
			worker := h.worker(w, e.d)
			for i := range e.h.Rounds {
				if w == 0 { // one of them breaks what all use
					restore()
					restore = e.store.Cut(i * 5 % 17)
				}
				worker.work(1)
			}
		})
		restore()
		h.check()
	},
}
