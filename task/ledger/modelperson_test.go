package ledger

import (
	"errors"

	"github.com/dayfly-dev/dayfly/records"
)

// person resolves what is unknown, overdue, or parked, at any moment, and then
// sends the dead letters back, step by step. It reports whether there was
// anything that has to follow.
func (m *model) person(w *world) (moved bool) {
	switch {
	case w.word.todo > 0:
		m.sendsBack(w)
		return true
	case w.said == 0 || w.version == 0:
		return false
	}
	for _, to := range []State{StateSent, StateNotSent} {
		said, changed, ok := m.says(w, to)
		if !ok {
			continue
		}
		m.branch(w, "a person says "+string(to), func(c *world) {
			c.said--
			c.word = word{1, said.Parked}
			if !changed {
				return
			}
			c.put(said, c.current(), false)
			if to == StateSent {
				c.sent = true
			} else {
				c.resends++
			}
		})
	}
	return false
}

// says is the record after a person's word; not ok if that is refused, or there
// is no reason to say it.
func (m *model) says(w *world, to State) (said Entry, changed, ok bool) {
	e := w.rec
	e.Key = "k"
	value, err := e.encode()
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := m.ledger.resolved("k", &records.Record{Value: value}, to, "a person")
	if errors.Is(err, records.ErrUnchanged) {
		return e, false, e.Parked != ""
	}
	if err != nil {
		return e, false, false
	}
	said, err = decode("k", r.Value)
	if err != nil {
		m.t.Fatal(err)
	}
	return said, true, true
}

// sendsBack are the steps after the word.
func (m *model) sendsBack(w *world) {
	if w.word.todo == 1 {
		m.branch(w, "the dead letters are sent back", func(c *world) {
			c.word.todo = 2
			for i := range c.slots {
				if s := &c.slots[i]; s.letter {
					if s.parked {
						s.done = false
					}
					s.letter, s.parked = false, false
				}
			}
		})
		return
	}
	m.branch(w, "that is put on record", func(c *world) {
		c.note(sentBack(c.word.letter))
		c.word = word{}
	})
}

// note changes the record beside its state.
func (w *world) note(change func(*Entry) bool) {
	if w.version == 0 {
		return
	}
	if e := w.rec; change(&e) {
		w.put(e, w.current(), false)
	}
}
