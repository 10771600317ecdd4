package ledger

import (
	"fmt"
	"time"
)

// steps explores all that slot i may do next, and reports whether there was
// anything beside faults.
func (m *model) steps(w *world, i int) bool {
	s := &w.slots[i]
	if s.done {
		return false
	}
	if s.run == nil {
		if s.runs == 0 {
			return false
		}
		m.branch(w, fmt.Sprintf("delivery to %c%d", 'a'+i, s.runs), func(c *world) {
			s := &c.slots[i]
			s.owner = fmt.Sprintf("%c%d", 'a'+i, s.runs)
			s.runs--
			s.beats, s.accepted, s.letter, s.parking, s.run = 1, false, false, false, m.make(s.owner, m.policy)
		})
		return true
	}
	m.fault(w, i, "crashes", func(_ *world, s *slot) { s.run = nil })
	switch s.run.next() {
	case actRead:
		m.each(w, i, "reads", func(c *world, s *slot, now time.Time) { s.run.read(c.rec, c.current(), now) })
		m.fault(w, i, "finds the store away, reading", func(_ *world, s *slot) { s.run.unreachable() })
	case actWrite:
		m.writes(w, i)
	case actPrepare:
		m.each(w, i, "is ready", func(_ *world, s *slot, now time.Time) { s.run.prepared("", true, now) })
		m.fault(w, i, "cannot get ready", func(_ *world, s *slot) { s.run.prepared("no", false, early) })
	case actPerform:
		m.performs(w, i)
	case actEnd:
		m.ends(w, i)
	}
	return true
}

// ends is what becomes of the message. Of one that nobody can decide about a dead
// letter is stored, that is put on record, and only then it goes: a crash in
// between has it come again.
func (m *model) ends(w *world, i int) {
	s := w.slots[i]
	e := s.run.verdict()
	if e == endUnknown && !s.parking {
		m.branch(w, s.owner+" begins to park", func(c *world) {
			s := &c.slots[i]
			s.parking = true
			if m.park == parkBefore {
				c.note(parked(s.owner))
			} else {
				s.letter = true
			}
		})
		return
	}
	m.branch(w, s.owner+" ends", func(c *world) {
		s := &c.slots[i]
		if e == endUnknown {
			switch m.park {
			case parkAfter:
				c.note(parked(s.owner))
			case parkBefore:
				s.letter = true
			}
			s.parked = s.letter
		}
		s.done = acknowledged(e) || e == endUnknown || e == endPayload
		s.run = nil
	})
}

// each branches for both looks of the clock.
func (m *model) each(w *world, i int, what string, step func(*world, *slot, time.Time)) {
	for n, now := range times {
		if n == 1 && m.noClock {
			return
		}
		m.branch(w, fmt.Sprintf("%s %s (clock %d)", w.slots[i].owner, what, n), func(c *world) {
			s := &c.slots[i]
			step(c, s, now)
			if p, ok := s.run.(*production); ok && p.late > maxLate {
				c.hit = append(c.hit, s.owner) // a store slower than the lease, three times, is a fault
			}
		})
	}
}

// fault branches for something that goes wrong in slot i.
func (m *model) fault(w *world, i int, what string, step func(*world, *slot)) {
	if w.faults == 0 {
		return
	}
	m.branch(w, w.slots[i].owner+" "+what, func(c *world) {
		c.faults--
		s := &c.slots[i]
		if s.run.window() {
			c.hit = append(c.hit, s.owner)
		}
		step(c, s)
	})
}

func (m *model) writes(w *world, i int) {
	store := func(c *world, s *slot) bool {
		want, base, blind := s.run.target()
		return c.put(want, base, blind || m.noSwap)
	}
	m.each(w, i, "writes", func(c *world, s *slot, now time.Time) {
		how := wroteNot
		if store(c, s) {
			how = wroteIt
		}
		s.run.wrote(how, c.current(), now)
	})
	for _, how := range []written{wroteMaybe, wroteNoMore} {
		m.fault(w, i, fmt.Sprintf("writes, without an answer (%d)", how), func(c *world, s *slot) {
			store(c, s)
			s.run.wrote(how, "", early)
		})
		m.fault(w, i, fmt.Sprintf("does not write, without an answer (%d)", how), func(_ *world, s *slot) {
			s.run.wrote(how, "", early)
		})
		m.fault(w, i, fmt.Sprintf("writes later, without an answer (%d)", how), func(c *world, s *slot) {
			want, base, blind := s.run.target()
			if !blind {
				c.late = append(c.late, pending{base, want})
			}
			s.run.wrote(how, "", early)
		})
	}
}

// performs is the effect: the provider takes it or not, and says so or not;
// and the lease is renewed in the middle.
func (m *model) performs(w *world, i int) {
	s := &w.slots[i]
	if s.accepted {
		m.each(w, i, "is told that it was sent", func(_ *world, s *slot, now time.Time) {
			s.accepted = false
			s.run.performed(outcome{fate: fateSent}, now)
		})
		m.fault(w, i, "loses the provider's yes", func(_ *world, s *slot) {
			s.accepted = false
			s.run.performed(outcome{fate: fateUnknown, why: "lost"}, early)
		})
	} else {
		m.branch(w, s.owner+" sends", func(c *world) {
			c.sends++
			c.slots[i].accepted = true
		})
		m.fault(w, i, "is refused", func(_ *world, s *slot) {
			s.run.performed(outcome{fate: fateNotSent, why: "refused"}, early)
		})
		m.fault(w, i, "loses the connection before it sent", func(_ *world, s *slot) {
			s.run.performed(outcome{fate: fateUnknown, why: "lost"}, early)
		})
	}
	if want, ok := s.run.renewal(early); ok && s.beats > 0 {
		m.beats(w, i, want)
	}
}

func (m *model) beats(w *world, i int, want Entry) {
	look := func(c *world, s *slot) {
		s.beats--
		s.run.renewed(c.rec, c.current())
	}
	_, base, _ := w.slots[i].run.target()
	m.branch(w, w.slots[i].owner+" renews", func(c *world) {
		c.put(want, base, m.noSwap)
		look(c, &c.slots[i])
	})
	m.fault(w, i, "renews, without an answer, and cannot look", func(c *world, s *slot) {
		s.beats--
		c.put(want, base, m.noSwap)
	})
	m.fault(w, i, "renews later", func(c *world, s *slot) {
		s.beats--
		c.late = append(c.late, pending{base, want})
	})
}
