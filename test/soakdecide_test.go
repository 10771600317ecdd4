package test

import (
	"fmt"
	"strings"
	"time"
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
		for _, e := range found {
			parked++
			key := strings.TrimPrefix(e.Key, "soak/")
			key, _, _ = strings.Cut(strings.TrimPrefix(key, "push/"), "@")
			why[s.decideOne(e.Key, e.Worker, key)]++
		}
		s.rest()
	}
	s.t.Logf("parked as UNKNOWN: %d, of %d effects: %v", parked, s.effects(), why)
}

// decideOne says why one was unknown and what was decided.
func (s *soak) decideOne(on, worker, key string) string {
	s.t.Helper()
	n, dropped := s.sink.accepted(key)
	x, reason := s.sent[key], ""
	switch {
	case x == nil:
		s.t.Errorf("unknown: %s is no effect of ours", on)
		return ""
	case dropped:
		reason = "the mail server dropped its answer"
	case x.queue == "py":
		reason = s.blame("web.1", x.at, s.rested)
	default:
		reason = s.blameOf(worker)
	}
	if reason == "" {
		s.t.Errorf("%s is unknown without a fault in the window", on)
	}
	decision := "resend"
	if n > 0 {
		decision = "sent"
	}
	s.h.cli("task", decision, on)
	return reason + " → " + decision
}

func (s *soak) effects() int {
	keys := map[string]bool{}
	for _, x := range s.sent {
		if x.kind == "once" || x.kind == "atleast" {
			keys[x.key] = true
		}
	}
	return len(keys)
}

// blameOf is the fault that ended the process a ledger names, host/pid.
func (s *soak) blameOf(worker string) string {
	_, pid, _ := strings.Cut(worker, "/")
	var who string
	last := time.Time{}
	for _, runs := range s.runs() {
		for _, r := range runs {
			if fmt.Sprint(r.pid) == pid {
				who = r.who
				last = later(last, later(r.begun, r.ended))
			}
		}
	}
	return s.blame(who, last.Add(-time.Second), last.Add(2*slack))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
