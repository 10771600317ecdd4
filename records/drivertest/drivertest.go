// Package drivertest is the conformance suite of package records/driver: one
// file a topic. A driver's test calls Run with a Harness.
//
// Nearly nothing waits for the clock, as a record may be written that expired
// hours ago. What is random prints its seed.
package drivertest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Harness is how the suite reaches a driver, and what it may expect of it.
type Harness struct {
	// New returns an empty store of its own for one test. The suite closes it.
	New func(t *testing.T) *Store
	// Virtual runs each test in a bubble of testing/synctest: the driver must do
	// without network and without goroutines that outlive Close.
	Virtual bool
	// SweepsItself says that the service removes what expired: Sweep returns 0.
	SweepsItself bool
	// Rounds is how many operations each of eight goroutines does in a test of
	// concurrency. Default 60; less for a service that is slow.
	Rounds int
	// Skip names tests ("Cut/AnswerLost") or topics ("Cut") that a foreign service
	// is known to fail, each with the reason.
	Skip map[string]string
}

// Store is one store. What is nil the driver does not have, and the tests of it
// are skipped.
type Store struct {
	Driver driver.Store
	// Another opens the same records a second time, as another process does. The
	// suite closes it.
	Another func() (driver.Store, error)
	// Crash opens the records again as they are after a kill or a loss of power
	// at this moment. The driver before is dead.
	Crash func() (driver.Store, error)
	// Cut breaks the connection of Driver to the service instead of passing on
	// the nth packet from now (0 is the first), whichever way it goes, and lets
	// all others pass. Restore ends that and says whether anything was cut. One
	// Cut is under way at a time.
	Cut func(n int) (restore func() bool)
}

// topics of the suite and their tests.
var topics = []struct {
	name  string
	tests map[string]func(*env)
}{
	{"Basic", basicTests},
	{"Conditions", conditionTests},
	{"Concurrent", concurrentTests},
	{"Listing", listingTests},
	{"Expiry", expiryTests},
	{"Sweep", sweepTests},
	{"Limits", limitTests},
	{"Lifecycle", lifecycleTests},
	{"Cut", cutTests},
	{"Durable", durableTests},
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	h.Rounds = cmp.Or(h.Rounds, 60)
	for _, topic := range topics {
		for name, test := range topic.tests {
			name := topic.name + "/" + name
			t.Run(name, func(t *testing.T) {
				if why := cmp.Or(h.Skip[name], h.Skip[topic.name]); why != "" {
					t.Skip(why)
				}
				if h.Virtual {
					synctest.Test(t, func(t *testing.T) { test(newEnv(t, &h)) })
					return
				}
				t.Parallel()
				test(newEnv(t, &h))
			})
		}
	}
}

// env is what a test has: a store, and ways to use it that fail the test.
type env struct {
	*testing.T
	h     *Harness
	store *Store
	d     driver.Store
	ctx   context.Context
}

func newEnv(t *testing.T, h *Harness) *env {
	e := &env{T: t, h: h, store: h.New(t), ctx: context.Background()}
	e.d = e.store.Driver
	t.Cleanup(func() { e.d.Close() })
	return e
}

// another is a second driver on the same records, or the same one.
func (e *env) another() driver.Store {
	e.Helper()
	if e.store.Another == nil {
		return e.d
	}
	d, err := e.store.Another()
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { d.Close() })
	return d
}

// put writes what must be taken, and returns the record at its new version.
func (e *env) put(r driver.Record) driver.Record {
	e.Helper()
	before := r.Version
	version, err := e.d.Put(e.ctx, r)
	if err != nil {
		e.Fatalf("put %.80q at version %q: %v", r.Key, before, err)
	}
	if version == "" || version == before || len(version) > 128 || strings.Trim(version, printable) != "" {
		e.Fatalf("put %.80q at version %q made version %q", r.Key, before, version)
	}
	r.Version = version
	return r
}

const printable = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// make writes a new record without expiry or mark.
func (e *env) make(key, value string) driver.Record {
	e.Helper()
	return e.put(driver.Record{Key: key, Value: []byte(value)})
}

// is checks that the store has exactly that record.
func (e *env) is(want driver.Record) {
	e.Helper()
	got, err := e.d.Get(e.ctx, want.Key)
	if err != nil {
		e.Fatalf("get %.80q: %v", want.Key, err)
	}
	if diff := gocmp.Diff(want, got, sameBytes, sameTime); diff != "" {
		e.Fatalf("get %.80q (-want +got):\n%s", want.Key, diff)
	}
}

var (
	sameTime  = gocmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	sameBytes = gocmp.Comparer(bytes.Equal) // also quicker than element by element
)

// none checks that there is no record of a key.
func (e *env) none(key string) {
	e.Helper()
	if r, err := e.d.Get(e.ctx, key); !errors.Is(err, driver.ErrNotFound) {
		e.Fatalf("get %.80q: %.80q at %q, %v; want ErrNotFound", key, r.Value, r.Version, err)
	}
}

// refused checks that a Put fails with ErrConflict.
func (e *env) refused(r driver.Record) {
	e.Helper()
	if v, err := e.d.Put(e.ctx, r); !errors.Is(err, driver.ErrConflict) {
		e.Fatalf("put %.80q at version %q: made %q, error %v; want ErrConflict", r.Key, r.Version, v, err)
	}
}

// ok ends the test at an error.
func (e *env) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// fails checks what an error is.
func (e *env) fails(err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Fatalf("error is %v, want %v", err, want)
	}
}

// mark returns a mark nobody has.
func (e *env) mark() string { return "m-" + strings.ToLower(rand.Text()) }

// ago is a whole second of the past.
func ago(d time.Duration) time.Time { return time.Now().Add(-d).Truncate(time.Second).UTC() }
