package test

import "strings"

// decide does what a person does about effects of which nobody knows, who has
// the mail server's log; then all their tasks have to be done. What is sent
// again may come to be unknown again.
func (s *soak) decide() {
	s.t.Helper()
	why, parked := map[string]int{}, 0
	for round := 1; ; round++ {
		found := s.unknown()
		if len(found) == 0 {
			break
		}
		if round > 5 {
			s.t.Fatalf("after %d rounds %d are unknown: %+v", round, len(found), found)
		}
		runs := s.runs()
		for _, e := range found {
			parked++
			why[s.decideOne(e.Key, runs)]++
		}
		s.rest()
	}
	s.t.Logf("parked as UNKNOWN: %d, of %d effects: %v", parked, len(s.effects()), why)
}

// decideOne says why one was unknown and what was decided. Without a fault that
// fell on it none may be.
func (s *soak) decideOne(on string, runs map[string][]*soakRun) string {
	s.t.Helper()
	key := strings.TrimPrefix(on, "soak/") // of a mail of the Go worker
	key, _, _ = strings.Cut(strings.TrimPrefix(key, "push/"), "@")
	if s.effects()[key] == "" {
		s.t.Errorf("unknown: %s is no effect of ours", on)
		return ""
	}
	reason := s.doubt(key, runs)
	if reason == "" {
		s.t.Errorf("%s is unknown without a fault in the window", on)
	}
	decision := "resend"
	if s.mailed(key) {
		decision = "sent"
	}
	s.h.cli("task", decision, on)
	return reason + " → " + decision
}
