package diskqueue

import (
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/queue/drivertest"
)

// smallOptions make segments rotate, and be recycled, within a short test.
func smallOptions(segment int) Options {
	return Options{Log: slog.New(slog.DiscardHandler), SegmentSize: segment, replay: int64(4 * segment), spare: 1}
}

// TestConformance runs the suite in virtual time, on a disk in memory that can
// lose its power.
func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{Virtual: true, New: func(t *testing.T) *drivertest.Store {
		fsys := faultfs.New()
		o := smallOptions(2 << 20)
		e, err := open(fsys, o)
		if err != nil {
			t.Fatal(err)
		}
		s := &drivertest.Store{Service: e}
		s.Reopen = func() (driver.Service, error) {
			if err := e.Close(); err != nil {
				return nil, err
			}
			e, err = open(fsys, o)
			return e, err
		}
		s.Crash = func() (driver.Service, error) {
			fsys = fsys.Crash(seededRand(t))
			e.Close()
			e, err = open(fsys, o)
			return e, err
		}
		return s
	}})
}

// TestConformanceOnDisk runs it on a real disk and the real clock.
func TestConformanceOnDisk(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{New: func(t *testing.T) *drivertest.Store {
		dir := t.TempDir()
		e, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := &drivertest.Store{Service: e}
		s.Reopen = func() (driver.Service, error) {
			if err := e.Close(); err != nil {
				return nil, err
			}
			e, err = Open(dir, nil)
			return e, err
		}
		return s
	}})
}

// seededRand prints its seed when the test fails.
func seededRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %#x", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}
