package drivertest

import (
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// isConflict shortens what goroutines ask often.
func isConflict(err error) bool { return errors.Is(err, driver.ErrConflict) }

var expiryTests = map[string]func(*env){
	"ExpiredIsNone": func(e *env) {
		mark := e.mark()
		for i, since := range []time.Duration{0, time.Second, time.Minute, 24 * time.Hour, 400 * 24 * time.Hour} {
			key := fmt.Sprint("k", i)
			old := e.put(driver.Record{Key: key, Value: []byte("old"), Mark: mark, Expires: ago(since)})
			e.none(key)
			e.lists(mark)
			r := e.put(driver.Record{Key: key, Value: []byte("new"), Mark: mark})
			e.is(r)
			e.lists(mark, key)
			e.refused(driver.Record{Key: key, Value: []byte("late"), Version: old.Version})
			e.fails(e.d.Delete(e.ctx, key, old.Version), driver.ErrConflict)
			e.is(r)
			e.ok(e.d.Delete(e.ctx, key, r.Version))
		}
	},
	"NotYetExpired": func(e *env) {
		mark := e.mark()
		r := e.put(driver.Record{Key: "a", Mark: mark, Expires: ago(-time.Hour)})
		e.is(r)
		e.lists(mark, "a")
		e.refused(driver.Record{Key: "a"})
	},
	"RenewedAndTakenAway": func(e *env) {
		r := e.put(driver.Record{Key: "a", Expires: ago(-time.Hour)})
		r.Expires = time.Time{}
		r = e.put(r)
		e.is(r)
		r.Expires = ago(time.Second)
		e.put(r)
		e.none("a")
	},
	// Between reading and writing a record may expire: the write at its version
	// may be taken or not, but does what it says.
	"ExpiredMeanwhile": func(e *env) {
		r := e.put(driver.Record{Key: "a", Value: []byte("one"), Expires: ago(time.Second)})
		r.Expires, r.Value = time.Time{}, []byte("two")
		version, err := e.d.Put(e.ctx, r)
		if isConflict(err) {
			e.none("a")
			return
		}
		e.ok(err)
		r.Version = version
		e.is(r)
	},
	// A record is there until its second, and gone from then on.
	"OnTime": func(e *env) {
		mark := e.mark()
		at := time.Now().Add(2 * time.Second).Truncate(time.Second).UTC()
		e.put(driver.Record{Key: "a", Mark: mark, Expires: at})
		for {
			before := time.Now()
			_, err := e.d.Get(e.ctx, "a")
			found, _, listErr := e.d.List(e.ctx, mark, "", 10)
			after := time.Now()
			e.ok(listErr)
			switch gone := errors.Is(err, driver.ErrNotFound); {
			case err != nil && !gone:
				e.Fatal(err)
			case !after.Before(at) && before.Before(at): // cannot be told
			case before.Before(at) && (gone || len(found) != 1):
				e.Fatalf("gone %v before its time; listed %d", at.Sub(after), len(found))
			case !before.Before(at) && (!gone || len(found) != 0):
				e.Fatalf("still there %v after its time; listed %d", before.Sub(at), len(found))
			case gone:
				return
			}
			time.Sleep(25 * time.Millisecond) // until the clock is there
		}
	},
	// Of many that make a record where one expired, one does.
	"OneTakesOver": func(e *env) {
		other := e.another()
		for round := range 10 {
			key := fmt.Sprint("k", round)
			e.put(driver.Record{Key: key, Value: []byte("old"), Expires: ago(time.Minute)})
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
}

// oneWon checks that one of the workers wrote, and that the record is its.
func (e *env) oneWon(key string, won []string) {
	e.Helper()
	winner := -1
	for w, version := range won {
		if version == "" {
			continue
		}
		if winner >= 0 {
			e.Fatalf("%q was written by %d and by %d", key, winner, w)
		}
		winner = w
	}
	if winner < 0 {
		e.Fatalf("%q was written by nobody", key)
	}
	e.is(driver.Record{Key: key, Value: fmt.Append(nil, winner), Version: won[winner]})
}
