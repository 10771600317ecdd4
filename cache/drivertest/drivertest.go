// Package drivertest is the conformance suite of cache drivers: one file a
// topic. Every driver runs it, alone and over client, server and engine
// together, so that client and server check each other, and over memcached
// itself, so that both are checked by it.
package drivertest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// Harness makes the driver that is tested.
type Harness struct {
	// Open returns a driver on a fresh, empty store of its own, and has it closed
	// by t.Cleanup.
	Open func(t *testing.T) driver.Cache
	// Bubble says that everything the driver needs lives in this process and
	// waits on channels and timers only. Then each test runs in a bubble of
	// testing/synctest, where time costs nothing and is exact.
	Bubble bool
	// NoWaits leaves out what waits for values to expire: for a second run over
	// what another run tested in a bubble.
	NoWaits bool
	// MaxValue is the size in bytes up to which the store must accept values; one
	// byte above 1 MiB it must not.
	MaxValue int
}

// suite is one test with its store.
type suite struct {
	*testing.T
	Harness
	c   driver.Cache
	ctx context.Context
}

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	topics := []struct {
		name string
		test func(s *suite)
	}{
		{"GetSetDelete", getSetDelete},
		{"GetMulti", getMulti},
		{"Keys", keys},
		{"Conditions", conditions},
		{"AppendPrepend", appendPrepend},
		{"CompareAndSwap", compareAndSwap},
		{"Numbers", numbers},
		{"NumbersRefused", numbersRefused},
		{"Expiry", expiry},
		{"ExpiryAtOnce", expiryAtOnce},
		{"ExpiryLong", expiryLong},
		{"Touch", touch},
		{"ExpiryStays", expiryStays},
		{"Flush", flush},
		{"FlushLater", flushLater},
		{"Sizes", sizes},
		{"AnyBytes", anyBytes},
		{"NothingRetained", nothingRetained},
		{"ConcurrentIncrement", concurrentIncrement},
		{"ConcurrentAdd", concurrentAdd},
		{"ConcurrentSwap", concurrentSwap},
		{"Stats", stats},
		{"Close", closing},
		{"ContextEnds", contextEnds},
	}
	for _, topic := range topics {
		if h.NoWaits && waits[topic.name] {
			continue
		}
		t.Run(topic.name, func(t *testing.T) {
			run := func(t *testing.T) {
				topic.test(&suite{T: t, Harness: h, c: h.Open(t), ctx: t.Context()})
			}
			if h.Bubble {
				synctest.Test(t, run)
				return
			}
			t.Parallel() // tests of real time mostly wait
			run(t)
		})
	}
}

// waits are the topics that take seconds in real time.
var waits = map[string]bool{"Expiry": true, "Touch": true, "ExpiryStays": true, "FlushLater": true}

// set stores a value that must be taken.
func (s *suite) set(key, value string, ttl time.Duration) {
	s.Helper()
	s.ok(s.c.Store(s.ctx, driver.OpSet, key, driver.Item{Value: []byte(value)}, ttl))
}

// store stores under a condition and returns what came of it.
func (s *suite) store(op driver.Op, key, value string) error {
	return s.c.Store(s.ctx, op, key, driver.Item{Value: []byte(value)}, 0)
}

// has fails unless the key has the value.
func (s *suite) has(key, value string) {
	s.Helper()
	it, err := s.c.Get(s.ctx, key)
	if err != nil || string(it.Value) != value {
		s.Fatalf("get %q: %q, %v; want %q", key, it.Value, err, value)
	}
}

// hasNot fails if the key has a value.
func (s *suite) hasNot(key string) {
	s.Helper()
	it, err := s.c.Get(s.ctx, key)
	if !errors.Is(err, driver.ErrNotFound) {
		s.Fatalf("get %q: %q, %v; want ErrNotFound", key, it.Value, err)
	}
}

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) fails(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got error %v, want %v", err, want)
	}
}

// goes fails unless the key's value goes about d from now. In a bubble it must
// be there until a second before and gone a second after. In real time it only
// has to go within that and two seconds' grace for a busy machine.
func (s *suite) goes(key string, d time.Duration) {
	s.Helper()
	if s.Bubble {
		time.Sleep(d - time.Second)
		if _, err := s.c.Get(s.ctx, key); err != nil {
			s.Fatalf("get %q a second before its time: %v", key, err)
		}
		time.Sleep(2 * time.Second)
		s.hasNot(key)
		return
	}
	for end := time.Now().Add(d + 3*time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := s.c.Get(s.ctx, key); errors.Is(err, driver.ErrNotFound) {
			return
		} else if err != nil {
			s.Fatal(err)
		}
	}
	s.Fatalf("%q is still there long after %v", key, d)
}
