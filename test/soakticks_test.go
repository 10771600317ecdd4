package test

import (
	"fmt"
	"time"
)

// ticks sees that each second's tick of each schedule was fired once: once by
// what was delivered for the first time, and missing only where dayfly was down.
func (s *soak) ticks(runs map[string][]*soakRun, again, sum map[string]int) {
	s.t.Helper()
	first, last := s.begun.Truncate(time.Second).Add(2*time.Second), s.rested.Add(-10*time.Second)
	for _, name := range []string{"tick", "tock", "tack"} {
		for at := first; at.Before(last); at = at.Add(time.Second) {
			id := fmt.Sprintf("%s@%s", name, at.UTC().Format(time.RFC3339))
			sum["ticks"]++
			theirs := runs[id]
			fired, done := 0, false
			for _, r := range theirs {
				if r.try == 1 {
					fired++
				}
				done = done || r.what == "done"
			}
			down := s.blame("dayfly", at.Add(-time.Second), at.Add(slack))
			switch {
			case len(theirs) == 0 && down == "":
				s.t.Errorf("%s was never fired, and dayfly was up", id)
			case len(theirs) == 0:
				sum["ticks missed while dayfly was down"]++
			case !done:
				s.t.Errorf("%s was fired and not done: %s", id, history(theirs))
			case fired > 1 && s.blameAny(theirs) == "":
				s.t.Errorf("%s was fired %d times: %s", id, fired, history(theirs))
			default:
				sum["ticks fired"]++
			}
			if len(theirs) > 0 {
				s.repeats(&sentTask{id: id, name: name}, theirs, again)
			}
		}
	}
}
