package test

import "fmt"

// mails compares what the mail server accepted with what was to be sent.
func (s *soak) mails(runs map[string][]*soakRun, letters map[string][]letter, sum map[string]int) {
	s.t.Helper()
	died := map[string]bool{} // effects of which a task is a dead letter, with a reason that fate has seen
	for _, x := range s.sent {
		died[x.key] = died[x.key] || len(letters[x.id]) > 0
	}
	for key, kind := range s.effects() {
		n, _ := s.sink.accepted(key)
		sum["effects "+kind]++
		switch {
		case n == 0 && died[key]:
			sum["effects "+kind+", not begun: the task is a dead letter"]++
		case n == 0:
			s.t.Errorf("%s: the mail of %s was never accepted", kind, key)
		case n > 1 && kind == "once":
			sum["effects once, accepted twice"]++
			s.t.Errorf("%d mails of %s under AtMostOnce:%s", n, key, s.runsOf(key, runs))
		case n > 1:
			sum["effects atleast, accepted more than once"]++
			if s.doubt(key, runs) == "" {
				s.t.Errorf("%d mails of %s under AtLeastOnce, and nobody was in doubt:%s", n, key, s.runsOf(key, runs))
			}
		}
	}
	effects := s.effects()
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	for key := range s.sink.accepts {
		if effects[key] == "" {
			s.t.Errorf("a mail to %q, which no task was to send", key)
		}
	}
}

// effects are the kinds of those that were to happen, by key.
func (s *soak) effects() map[string]string {
	all := map[string]string{}
	for _, x := range s.sent {
		if x.kind == "once" || x.kind == "atleast" {
			all[x.key] = x.kind
		}
	}
	return all
}

// runsOf tells those of all tasks of an effect, for whoever looks for a cause.
func (s *soak) runsOf(key string, runs map[string][]*soakRun) (text string) {
	for id, x := range s.sent {
		if x.key == key {
			text += " " + id + ": " + history(runs[id])
			for _, r := range runs[id] {
				text += fmt.Sprintf("(clocks off by %v ms) ", s.offsets(r.begun))
			}
		}
	}
	return text
}
