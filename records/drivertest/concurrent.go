package drivertest

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/dayfly-dev/dayfly/records/driver"
)

const workers = 8

// together runs f in several goroutines; it may not end the test.
func together(f func(worker int)) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(w) })
	}
	wg.Wait()
}

var concurrentTests = map[string]func(*env){
	// Of many that make one record, one does.
	"OneMakes": func(e *env) {
		other := e.another()
		for round := range e.h.Rounds / 2 {
			key := fmt.Sprint("k", round)
			won := make([]string, workers)
			together(func(w int) {
				d := e.d
				if w%2 == 1 {
					d = other
				}
				version, err := d.Put(e.ctx, driver.Record{Key: key, Value: fmt.Append(nil, w)})
				if err == nil {
					won[w] = version
				} else if !isConflict(err) {
					e.Error(err)
				}
			})
			e.oneWon(key, won)
		}
	},
	// Of many that write or delete at one version, one does.
	"OneWrites": func(e *env) {
		other := e.another()
		for round := range e.h.Rounds / 2 {
			r := e.make(fmt.Sprint("k", round), "first")
			won := make([]string, workers)
			deleted := make([]bool, workers)
			together(func(w int) {
				d, next := e.d, r
				if w%2 == 1 {
					d = other
				}
				next.Value = fmt.Append(nil, w)
				var err error
				if role := (w + round) % workers; role < 2 {
					err = d.Delete(e.ctx, r.Key, r.Version)
					deleted[role] = err == nil
				} else {
					won[w], err = d.Put(e.ctx, next)
				}
				if err != nil && !isConflict(err) {
					e.Error(err)
				}
			})
			if deleted[0] != deleted[1] {
				for _, version := range won {
					if version != "" {
						e.Fatal("one deleted and another wrote at the same version")
					}
				}
				e.none(r.Key)
				continue
			} else if deleted[0] {
				e.Fatal("two deleted one version")
			}
			e.oneWon(r.Key, won)
		}
	},
	// Counting loses no step and makes none twice.
	"Count": func(e *env) {
		other := e.another()
		e.make("n", "0")
		together(func(w int) {
			d := e.d
			if w%2 == 1 {
				d = other
			}
			for done := 0; done < e.h.Rounds/4; {
				r, err := d.Get(e.ctx, "n")
				if err != nil {
					e.Error(err)
					return
				}
				n, err := strconv.Atoi(string(r.Value))
				if err != nil {
					e.Error(err)
					return
				}
				r.Value = strconv.AppendInt(nil, int64(n)+1, 10)
				if _, err = d.Put(e.ctx, r); err == nil {
					done++
				} else if !isConflict(err) {
					e.Error(err)
					return
				}
			}
		})
		r, err := e.d.Get(e.ctx, "n")
		e.ok(err)
		if want := strconv.Itoa(workers * (e.h.Rounds / 4)); string(r.Value) != want {
			e.Fatalf("counted to %s, want %s", r.Value, want)
		}
	},
	// Different keys are in nobody's way: no conflict comes of a neighbour.
	"NeighboursDoNotConflict": func(e *env) {
		together(func(w int) {
			r := driver.Record{Key: fmt.Sprint("neighbour ", w), Mark: "same"}
			for i := range e.h.Rounds {
				version, err := e.d.Put(e.ctx, r)
				if err != nil {
					e.Errorf("write %d of %q, which nobody else writes: %v", i, r.Key, err)
					return
				}
				r.Version = version
				if i%5 == 4 {
					if err := e.d.Delete(e.ctx, r.Key, r.Version); err != nil {
						e.Errorf("delete %q, which nobody else writes: %v", r.Key, err)
						return
					}
					r.Version = ""
				}
			}
		})
	},
	"Linearizable": func(e *env) {
		h := newHistory(e)
		other := e.another()
		together(func(w int) {
			d := e.d
			if w%2 == 1 {
				d = other
			}
			h.worker(w, d).work(e.h.Rounds)
		})
		h.check()
	},
}
