package diskqueue

import (
	"fmt"
	"testing"
)

// TestAttemptsAreForgotten: in time, and the oldest when there are many.
func TestAttemptsAreForgotten(t *testing.T) {
	var s attempts
	for i := range int64(3 * maxAttempts) {
		s.add(fmt.Sprint("id-", i), &attempt{at: i / 1000})
	}
	if len(s.byID) != maxAttempts || len(s.all) != maxAttempts || s.byID[fmt.Sprint("id-", 2*maxAttempts)] == nil {
		t.Errorf("%d and %d of %d attempts", len(s.byID), len(s.all), maxAttempts)
	}
	again := fmt.Sprint("id-", 3*maxAttempts-1)
	for range 2 { // in one millisecond
		s.add(again, &attempt{at: attemptFor})
	}
	later := &attempt{at: attemptFor + 3*maxAttempts/1000}
	s.add("last", later)
	if len(s.byID) != 2 || s.byID["last"] != later || s.byID[again] == nil {
		t.Errorf("after five minutes %d attempts", len(s.byID))
	}
	s.add("last", &attempt{at: later.at + attemptFor})
	if len(s.byID) != 1 || len(s.all) != 1 {
		t.Errorf("after five more %d and %d attempts", len(s.byID), len(s.all))
	}
}
