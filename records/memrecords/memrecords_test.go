package memrecords_test

import (
	"testing"

	"github.com/dayfly-dev/dayfly/records/drivertest"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{Virtual: true, New: func(*testing.T) *drivertest.Store {
		return &drivertest.Store{Driver: memrecords.New()}
	}})
}

// TestConformanceOfTheClock is the same with the clock and the processors that
// there are.
func TestConformanceOfTheClock(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{New: func(*testing.T) *drivertest.Store {
		return &drivertest.Store{Driver: memrecords.New()}
	}})
}
