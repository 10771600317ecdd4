package test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

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
			if word := map[string]string{"sent": "sent", "not-sent": "resend"}[e.State]; word != "" {
				// Nothing is unknown any more, as a worker that was silent said so, or
				// a person before its letter came: only letters are to go back.
				s.h.cli("task", word, e.Key)
				why["known by now → "+word]++
				continue
			}
			why[s.decideOne(e.Key, e.Worker, runs)]++
		}
		s.rest()
	}
	s.t.Logf("parked as UNKNOWN: %d, of %d effects: %v", parked, len(s.effects()), why)
}

// decideOne says why one was unknown and what was decided. Without a fault that
// fell on it none may be.
func (s *soak) decideOne(on, worker string, runs map[string][]*soakRun) string {
	s.t.Helper()
	key := strings.TrimPrefix(on, "soak/") // of a mail of the Go worker
	key, _, _ = strings.Cut(strings.TrimPrefix(key, "push/"), "@")
	if s.effects()[key] == "" {
		s.t.Errorf("unknown: %s is no effect of ours", on)
		return ""
	}
	reason := cmp.Or(s.doubt(key, runs), s.unrecorded(key, worker, runs))
	if reason == "" {
		s.t.Errorf("%s is unknown without a fault in the window: by %s,%s", on, worker, s.runsOf(key, runs))
	}
	decision := "resend"
	if s.mailed(key) {
		decision = "sent"
	}
	s.h.cli("task", decision, on)
	return reason + " → " + decision
}

// unrecorded reports whether the process that the ledger names, as host/pid, was
// killed before it could push an effect of key, or record how a run at it had ended.
func (s *soak) unrecorded(key, worker string, runs map[string][]*soakRun) string {
	_, pid, _ := strings.Cut(worker, "/")
	for _, f := range s.faults {
		if f.what != "kill" || fmt.Sprint(f.pid) != pid {
			continue
		}
		for _, x := range s.sent {
			if x.key == key && x.queue == "py" && len(runs[x.id]) == 0 {
				return "kill " + f.target + ", before it was pushed"
			}
			if x.key == key && slices.ContainsFunc(runs[x.id], func(r *soakRun) bool {
				return !r.ended.IsZero() && r.ended.Before(f.from) && r.ended.Add(settling).After(f.from)
			}) {
				return "kill " + f.target + ", before it was recorded"
			}
		}
	}
	return ""
}
