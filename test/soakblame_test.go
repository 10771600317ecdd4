package test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// settling is how long a run, or its outcome, may take to be on record: what is
// stopped while it writes to the ledger's store has the others wait for as long.
const settling = 15 * time.Second

// window is when a fault may have fallen on r, or on its acknowledgement. One
// that never said how it ended was hit before it could.
func (r *soakRun) window() (from, to time.Time) {
	if r.ended.IsZero() {
		return r.begun.Add(-slack), r.begun.Add(settling)
	}
	return r.begun.Add(-slack), r.ended.Add(slack)
}

// blame is the fault that fell on a process between two moments.
func (s *soak) blame(who string, from, to time.Time) string {
	if i := slices.IndexFunc(s.faults, func(f fault) bool { return f.hit(who, from, to) }); i >= 0 {
		return s.faults[i].what + " " + s.faults[i].target
	}
	return ""
}

// blameAny is a fault that fell on a run.
func (s *soak) blameAny(runs []*soakRun) string {
	for _, r := range runs {
		from, to := r.window()
		if why := s.blame(r.who, from, to); why != "" {
			return why
		}
	}
	return ""
}

// blameQueue counts the faults that fell on dayfly, or on a worker of the task's
// queue, while it was there.
func (s *soak) blameQueue(x *sentTask, runs []*soakRun) (n int) {
	workers := map[string][]string{"default": {"go.1", "go.2"}, "py": {"web.1"}, "node": {"node.1"}}[x.queue]
	to := x.at.Add(30 * time.Second)
	if x.kind == "stranger" {
		to = x.at.Add(2 * time.Minute) // twelve attempts, which leave no run
	}
	for _, r := range runs {
		to = later(to, r.begun.Add(30*time.Second))
	}
	for _, f := range s.faults {
		if slices.ContainsFunc(workers, func(who string) bool { return f.hit(who, x.at, to) }) {
			n++
		}
	}
	return n
}

// doubt is why nobody may know of an effect whether it happened, or how often;
// "" where there is no reason to.
func (s *soak) doubt(key string, runs map[string][]*soakRun) string {
	if _, dropped := s.sink.accepted(key); dropped {
		return "the mail server dropped its answer"
	}
	var all []*soakRun
	pushed := ""
	for _, x := range s.sent {
		if x.key == key {
			all = append(all, runs[x.id]...)
			if x.queue == "py" && len(runs[x.id]) == 0 { // dayfly died before the push was there
				pushed = s.blame("dayfly", x.at.Add(-slack), x.at.Add(30*time.Second))
			}
		}
	}
	if why := cmp.Or(s.blameAny(all), pushed, s.kept(all)); why != "" {
		return why
	}
	for i, r := range all { // two workers at one effect, and one takes the other's lease for over
		for _, other := range all[i+1:] {
			from, to := r.window()
			if start, end := other.window(); start.Before(to) && end.After(from) && s.apart(from, to) {
				return "clock"
			}
		}
	}
	return ""
}

// kept is the stop of another process that writes to the ledger's store, if it had
// one of runs wait for longer than the lease: it was stopped while it had the
// store's lock, and nobody could renew.
func (s *soak) kept(runs []*soakRun) string {
	for _, r := range runs {
		if r.ended.Sub(r.begun) < 2*time.Second {
			continue
		}
		for _, f := range s.faults {
			if (f.what == "stop" || f.what == "stall") && (strings.HasPrefix(f.target, "go") || f.target == "dayfly") && f.from.Before(r.ended) && f.to.After(r.begun) {
				return f.what + " " + f.target + ", which had the store's lock"
			}
		}
	}
	return ""
}

// apart reports whether the clocks of the two ledgers differed at any moment of
// those between from and to: since a step before, or by one that fell into them.
func (s *soak) apart(from, to time.Time) bool {
	if off := s.offsets(from); off["go.1"] != off["go.2"] {
		return true
	}
	return slices.ContainsFunc(s.faults, func(f fault) bool {
		off := s.offsets(f.to)
		return f.what == "clock" && f.from.After(from) && f.from.Before(to) && off["go.1"] != off["go.2"]
	})
}

// offsets are those of the ledgers' clocks at a moment, in milliseconds.
func (s *soak) offsets(at time.Time) map[string]int {
	off := map[string]int{}
	for _, f := range s.faults {
		if f.what == "clock" && f.from.Before(at) {
			off[f.target] = f.off
		}
	}
	return off
}

// repeats finds the runs after one that was done, and why they were allowed: a
// fault fell on the worker that had done it, or on dayfly, before it was known to
// be; or it was there twice, as the enqueue was repeated, or a worker was hit
// between the dead letter and the end of the message.
func (s *soak) repeats(x *sentTask, runs []*soakRun, again map[string]int) {
	s.t.Helper()
	done := slices.IndexFunc(runs, func(r *soakRun) bool { return r.what == "done" })
	if done < 0 || done == len(runs)-1 {
		return
	}
	why := s.blameAny(runs[done : done+1])
	if why == "" { // it was in two workers' hands
		why = s.blameAny(runs[done+1:])
	}
	if why == "" {
		parked := slices.DeleteFunc(slices.Clone(runs[:done]), func(r *soakRun) bool { return !strings.Contains(r.why, "not known whether") })
		if why = s.blameAny(parked); why != "" {
			why += ", while it was made a dead letter"
		}
	}
	switch {
	case why != "":
		again[why] += len(runs) - 1 - done
	case x.repeated || !x.acked.IsZero() && s.blame("dayfly", x.at, x.acked) != "":
		// By the test, or by the client, which asks once more where an answer
		// is lost (package sqsqueue): there are two messages of one id.
		again["its enqueue was repeated"] += len(runs) - 1 - done
	default:
		s.t.Errorf("%s (%s) ran %d times after it was done, for no reason: %s", x.id, x.name, len(runs)-1-done, history(runs))
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func history(runs []*soakRun) string {
	var b strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&b, "[%s/%d try %d %s–%s %s %s] ", r.who, r.pid, r.try, r.begun.Format("15:04:05.000"), r.ended.Format("15:04:05.000"), r.what, r.why)
	}
	return b.String()
}
