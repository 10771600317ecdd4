package test

import (
	"slices"
	"strings"
)

// deaths are what the dead letters of each kind that is to die have to say, by
// queue. The Node worker has none that say more than the queue does.
var deaths = map[string]map[string]string{
	"bad":      {"default": "bad on purpose", "py": "bad on purpose", "node": byQueue},
	"panic":    {"default": "task: panic: on purpose"},
	"stranger": {"default": "task: unknown task", "py": "404 Not Found: no such task", "node": byQueue},
	"poison":   {"default": "not a task message"},
}

// attemptsOf each queue of the manifest.
var attemptsOf = map[string]int{"default": 12, "py": 4, "node": 4}

// fate says what became of a task, and whether it should.
func (s *soak) fate(x *sentTask, runs []*soakRun, letters []letter, sum sums) {
	s.t.Helper()
	if x.undone {
		if sum.all["rolled back"]++; len(runs)+len(letters) > 0 {
			s.t.Errorf("%s was rolled back, and ran: %d runs, dead letters %v", x.id, len(runs), letters)
		}
		return
	}
	if sum.all["enqueued"]++; x.repeated {
		sum.all["enqueued by more than one request"]++
	}
	done := slices.ContainsFunc(runs, func(r *soakRun) bool { return r.what == "done" })
	word, toDie := deaths[x.kind][x.queue]
	switch {
	case done && toDie:
		s.t.Errorf("%s (%s) is done, and should not be", x.id, x.name)
	case done && len(letters) > 0: // it died in one delivery and was done in another
		if sum.dead["done by another delivery"]++; s.blameAny(runs) == "" && !x.repeated {
			s.t.Errorf("%s is done, and a dead letter: %v", x.id, letters)
		}
	case len(letters) > 1 && s.blameAny(runs) == "" && !x.repeated && s.blameQueue(x, runs) == 0:
		s.t.Errorf("%s (%s) is a dead letter %d times: %v", x.id, x.name, len(letters), letters)
	}
	switch {
	case done:
		sum.all["done"]++
	case len(letters) == 0 && x.kind == "once" && x.queue == "py" && s.mailed(x.key):
		sum.all["done"]++ // and no run is to say so: dayfly pushes it no more
		sum.all["done: on record as sent, not pushed again"]++
	case len(letters) == 0:
		sum.all["lost"]++
		s.t.Errorf("lost: %+v, runs %s", *x, history(runs))
	default:
		sum.all["dead"]++
		sum.dead[s.death(x, runs, letters[0], word)]++
	}
	s.tries(x, runs)
}

// death is why a task is dead, for the report; it sees that it may be.
func (s *soak) death(x *sentTask, runs []*soakRun, l letter, word string) string {
	s.t.Helper()
	switch {
	case word != "" && strings.Contains(l.why, word):
		return x.kind + " of " + x.queue + ": " + short(l.why)
	case x.kind == "once" && strings.Contains(l.why, "not known whether") && s.mailed(x.key) && s.doubt(x.key, s.runs()) != "":
		// The worker that was at it was stopped, or the clock of this one was
		// fast: it was declared unknown, and then its worker said that it was sent.
		return "parked as unknown, on record as sent since"
	case byFaults(l.why) && s.usedUp(x, runs, l):
		return "attempts used up by faults: " + short(l.why)
	}
	s.t.Errorf("%s (%s) is dead: %v, after %s", x.id, x.name, l, history(runs))
	return "without a reason"
}

// byFaults reports whether it is faults that a reason speaks of: arguments that
// were altered, or a task that is not known, are none.
func byFaults(why string) bool {
	return slices.ContainsFunc([]string{byQueue, "task: delivered", "the connection ended without an answer", "by another run ("},
		func(part string) bool { return strings.Contains(why, part) })
}

// usedUp reports whether there were faults enough to use up the attempts that did
// not fail by themselves: a fault may cost two attempts, of a worker that is stopped for
// longer than the visibility timeout with two requests for messages under way.
func (s *soak) usedUp(x *sentTask, runs []*soakRun, l letter) bool {
	attempts := l.attempts
	if attempts == 0 {
		attempts = attemptsOf[x.queue]
	}
	ended := 0
	if x.kind == "stranger" { // its runs are in no record: a fault that falls on the last attempt is enough
		ended = attempts - 1
	}
	for _, r := range runs {
		if r.what == "failed" && !byFaults(r.why) {
			ended++
		}
	}
	return attempts-ended <= 2*s.blameQueue(x, runs)
}

// tries sees that what fails for good was not tried more often than it is to be.
func (s *soak) tries(x *sentTask, runs []*soakRun) {
	s.t.Helper()
	most := map[string]int{"bad": 1, "panic": 3}[x.kind]
	if x.queue == "default" && most > 0 && len(runs) > most && s.blameAny(runs) == "" && !x.repeated {
		s.t.Errorf("%s (%s) ran %d times, not at most %d: %s", x.id, x.name, len(runs), most, history(runs))
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
