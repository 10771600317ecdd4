package test

import (
	"fmt"
	"time"
)

// ticks sees that each second's tick of each schedule was fired once, and its
// task done. None may be missing, though dayfly was down: it makes up for them.
func (s *soak) ticks(runs map[string][]*soakRun, sum sums) {
	s.t.Helper()
	first, last := s.begun.Truncate(time.Second).Add(2*time.Second), s.rested.Add(-10*time.Second)
	for _, name := range []string{"tick", "tock", "tack"} {
		for at := first; at.Before(last); at = at.Add(time.Second) {
			id := fmt.Sprintf("%s@%s", name, at.UTC().Format(time.RFC3339))
			sum.all["ticks"]++
			theirs := runs[id]
			fired, done := 0, false
			for _, r := range theirs {
				if r.try == 1 { // of each message the first delivery
					fired++
				}
				done = done || r.what == "done"
			}
			switch {
			case len(theirs) == 0:
				s.t.Errorf("%s was never fired", id)
				continue
			case !done:
				s.t.Errorf("%s was fired and not done: %s", id, history(theirs))
			case fired > 1 && s.blame("dayfly", at.Add(-time.Second), theirs[0].begun.Add(slack)) == "":
				s.t.Errorf("%s was fired %d times: %s", id, fired, history(theirs))
			case fired > 1:
				sum.all["ticks fired twice, by a dayfly that died in between"]++
			default:
				sum.all["ticks fired once"]++
			}
			s.repeats(&sentTask{id: id, name: name, repeated: fired > 1}, theirs, sum.again)
		}
	}
}
