package test

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// account sees that every task is done or dead as it should be, once or with a
// reason, and prints the sums.
func (s *soak) account() {
	s.t.Helper()
	runs, letters := s.runs(), s.letters()
	sum, again, dead := map[string]int{}, map[string]int{}, map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(s.sent)) {
		x := s.sent[id]
		s.fate(x, runs[id], letters[id], sum, dead)
		s.repeats(x, runs[id], again)
		delete(letters, id)
	}
	s.ticks(runs, again, sum)
	for id, why := range letters {
		if _, tick := runs[id]; !tick || !strings.HasPrefix(id, "t") {
			s.t.Errorf("a dead letter of a task that nobody enqueued: %s: %q", id, why)
		}
		sum["dead ticks"]++
	}
	twice := s.mails(sum)
	s.t.Logf("%v of work, %v to be at rest, %d faults", s.length, s.rested.Sub(s.begun.Add(s.length)).Round(time.Second), len(s.faults))
	for _, f := range s.faults {
		sum["fault: "+f.what+" "+strings.TrimRight(f.target, ".12")]++
	}
	list := func(title string, m map[string]int) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			s.t.Logf("%s%-60s %6d", title, k, m[k])
		}
	}
	list("", sum)
	list("dead: ", dead)
	list("again: ", again)
	if all := sum["enqueued"]; all != sum["done"]+sum["dead"]+sum["lost"] {
		s.t.Errorf("the sums do not balance: %d enqueued, %d done, %d dead, %d lost", all, sum["done"], sum["dead"], sum["lost"])
	}
	if sum["lost"] > 0 || twice > 0 {
		s.t.Errorf("%d tasks were lost, %d effects were twice", sum["lost"], twice)
	}
	types := map[string]bool{}
	for _, x := range s.sent {
		types[x.name] = true
	}
	s.t.Logf("%d types of tasks", len(types))
}

// fate says what became of a task, and whether it should.
func (s *soak) fate(x *sentTask, runs []*soakRun, letters []string, sum, dead map[string]int) {
	s.t.Helper()
	done := slices.ContainsFunc(runs, func(r *soakRun) bool { return r.what == "done" })
	toDie := map[string]string{"bad": "on purpose", "panic": "on purpose", "stranger": "", "poison": "not a task message"}
	want, mayDie := toDie[x.kind]
	switch {
	case x.undone:
		if sum["rolled back"]++; len(runs)+len(letters) > 0 {
			s.t.Errorf("%s was rolled back, and ran: %d runs, dead letters %q", x.id, len(runs), letters)
		}
		return
	case done && len(letters) == 0:
		sum["done"]++
	case done: // it died in one delivery and was done in another
		sum["done"]++
		dead["done by another delivery"]++
		if s.blameAny(runs) == "" && !x.repeated {
			s.t.Errorf("%s is done, and a dead letter: %q", x.id, letters)
		}
	case len(letters) == 0 && x.kind == "once" && x.queue == "py" && s.mailed(x.key):
		sum["done"]++
		sum["done by another task of the same effect, not pushed"]++
	case len(letters) == 0:
		sum["lost"]++
		s.t.Errorf("lost: %+v, runs %v", *x, runs)
	case mayDie && (x.queue == "node" || strings.Contains(letters[0], want)):
		sum["dead"]++
		dead[x.kind+" of "+x.queue+": "+short(letters[0])]++
	case strings.Contains(letters[0], "not known whether") && x.kind == "once" && s.mailed(x.key):
		// The worker that was at it was stopped, or the clock of this one was
		// fast: it was declared unknown, and then its worker said that it was sent.
		sum["dead"]++
		dead["parked as unknown, on record as sent since"]++
	case s.blameAny(runs) != "" || strings.Contains(letters[0], "delivered"):
		sum["dead"]++
		dead["attempts used up by faults: "+short(letters[0])]++
	default:
		s.t.Errorf("%s (%s) is dead: %q", x.id, x.name, letters)
		sum["dead"]++
	}
	if len(letters) > 0 {
		s.died[x.key] = true
	}
	if done && mayDie {
		s.t.Errorf("%s (%s) is done, and should not be", x.id, x.name)
	}
	if sum["enqueued"]++; x.repeated {
		sum["enqueued by more than one request"]++
	}
}

// mailed reports whether an effect happened.
func (s *soak) mailed(key string) bool {
	n, _ := s.sink.accepted(key)
	return n > 0
}

// short is the part of a reason that is the same for many.
func short(why string) string {
	why, _, _ = strings.Cut(why, "\n")
	for _, word := range strings.Fields(why) {
		if strings.ContainsAny(word, "0123456789") {
			why = strings.ReplaceAll(why, word, "…")
		}
	}
	return why[:min(len(why), 70)]
}

// blameAny is a fault that fell on a run.
func (s *soak) blameAny(runs []*soakRun) string {
	for _, r := range runs {
		if why := s.blame(r.who, r.begun.Add(-slack), later(r.begun, r.ended).Add(slack)); why != "" {
			return why
		}
	}
	return ""
}

// repeats finds the runs after one that was done, and why they were allowed: a
// fault fell on the worker that had done it, or on dayfly, before it was known to be.
func (s *soak) repeats(x *sentTask, runs []*soakRun, again map[string]int) {
	s.t.Helper()
	done := slices.IndexFunc(runs, func(r *soakRun) bool { return r.what == "done" })
	if done < 0 || done == len(runs)-1 {
		return
	}
	why := s.blame(runs[done].who, runs[done].begun.Add(-slack), runs[done].ended.Add(slack))
	for _, r := range runs[done+1:] {
		if why == "" { // it was in two workers' hands
			why = s.blame(r.who, r.begun.Add(-slack), later(r.begun, r.ended).Add(slack))
		}
	}
	switch {
	case why != "":
		again[why] += len(runs) - 1 - done
	case x.repeated:
		again["its enqueue was repeated"] += len(runs) - 1 - done
	default:
		s.t.Errorf("%s (%s) ran %d times after it was done, for no reason: %s", x.id, x.name, len(runs)-1-done, history(runs))
	}
}

// mails compares what the mail server accepted with what was to be sent, and
// returns how many effects at most once were twice.
func (s *soak) mails(sum map[string]int) (twice int) {
	s.t.Helper()
	seen := map[string]bool{}
	for _, x := range s.sent {
		if x.kind != "once" && x.kind != "atleast" || seen[x.key] {
			continue
		}
		seen[x.key] = true
		n, _ := s.sink.accepted(x.key)
		sum["effects "+x.kind]++
		switch {
		case n == 0 && s.died[x.key]: // it says why
			sum["effects "+x.kind+", not begun: the task is a dead letter"]++
		case n == 0:
			s.t.Errorf("%s: the mail of %s was never accepted", x.kind, x.key)
		case n > 1 && x.kind == "once":
			twice++
			s.t.Errorf("%d mails of %s under AtMostOnce", n, x.key)
		case n > 1:
			sum["effects atleast, more than once"]++
		}
	}
	return twice
}
