package ledger

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"testing"
)

// The model is a store with one record, a queue that delivers the message of
// one effect to several workers at once and again after each run that did not
// end well, a provider that counts what it accepts, and a person. Explored is
// every order of steps, with every fault at every step up to a number of them:
// crashes, writes whose answer is lost (they landed, did not, or land later), a
// store that does not answer, a reply of the provider that is lost. Clocks are
// arbitrary: at every decision a lease may look over or not, which stands for
// pauses, skew and slow workers, and costs no fault.

// world is one state of the model.
type world struct {
	rec     Entry
	version int // of the record; 0: there is none
	writes  int
	late    []pending // writes that may still land
	slots   []slot
	sends   int
	faults  int // that may still happen
	said    int // words of the person left
	resends int // the person's
	sent    bool
	hit     []string // owners whose window had a fault
	word    word     // of the person
}

// word is how far a person's command is: what is said is on record, then the
// dead letters are sent back, then that is on record.
type word struct {
	todo   int // 0: nothing, 1: send back, 2: say so
	letter string
}

type pending struct {
	base string
	want Entry
}

// slot is one message: the run that has it, and how many it may have yet.
type slot struct {
	run      actor // nil: none at the moment
	owner    string
	accepted bool // the provider took it, and this run was not told yet
	beats    int
	runs     int
	done     bool // acknowledged, or dead-lettered
	parking  bool // the run stored its dead letter, or is about to
	letter   bool // its dead letter is stored
	parked   bool // and is all there is: the message is gone
}

func (w *world) current() string {
	if w.version == 0 {
		return ""
	}
	return strconv.Itoa(w.version)
}

func (w *world) clone() *world {
	c := *w
	c.late, c.hit, c.slots = slices.Clone(w.late), slices.Clone(w.hit), slices.Clone(w.slots)
	for i := range c.slots {
		if c.slots[i].run != nil {
			c.slots[i].run = c.slots[i].run.clone()
		}
	}
	return &c
}

func (w *world) key() []byte {
	b := face(make([]byte, 0, 512), w.rec)
	b = append(b, flag(w.version == 0), '0'+byte(min(w.sends, 3)), '0'+byte(w.faults), '0'+byte(w.said), '0'+byte(w.resends), flag(w.sent), '0'+byte(w.word.todo))
	b = append(append(b, w.word.letter...), '/')
	hits := slices.Clone(w.hit)
	slices.Sort(hits)
	for _, owner := range slices.Compact(hits) {
		b = append(append(b, '!'), owner...)
	}
	for _, p := range w.late {
		if p.base == w.current() { // the others cannot land any more
			b = face(append(b, '<'), p.want)
		}
	}
	for _, s := range w.slots {
		b = append(append(b, '|'), s.owner...)
		b = append(b, flag(s.accepted), '0'+byte(s.beats), '0'+byte(s.runs), flag(s.done), flag(s.parking), flag(s.letter), flag(s.parked))
		if s.run != nil {
			b = append(b, s.run.key(w.current())...)
		}
	}
	return b
}

// put is the store's compare-and-swap.
func (w *world) put(want Entry, base string, blind bool) bool {
	if base != w.current() && !blind {
		return false
	}
	w.writes++
	w.version, w.rec = w.writes, want
	return true
}

// seed of the hashes by which states are told apart: with a million states two
// of them share one by accident once in ten million explorations.
var seed = maphash.MakeSeed()

// model is one exploration.
type model struct {
	t       *testing.T
	policy  Policy
	make    func(owner string, p Policy) actor
	seen    map[uint64]struct{}
	rests   int
	broken  string // the first violation
	path    []string
	ledger  *Ledger // for the person's word
	noSwap  bool    // a store that swaps without comparing: a control
	noClock bool    // leases never look over: a control needs less than that
	park    parking
}

// parking is when a run that leaves a dead letter says so: after, as production
// does, or a control's.
type parking int

const (
	parkAfter parking = iota
	parkBefore
	parkNever
)

func (m *model) explore(w *world) {
	k := maphash.Bytes(seed, w.key())
	if _, known := m.seen[k]; known || m.broken != "" {
		return
	}
	m.seen[k] = struct{}{}
	m.check(w)
	moved := false
	for i := range w.slots {
		moved = m.steps(w, i) || moved
	}
	for i, p := range w.late {
		if p.base == w.current() {
			m.branch(w, "a late write lands", func(c *world) {
				c.put(p.want, p.base, false)
				c.late = slices.Delete(c.late, i, i+1)
			})
		}
	}
	moved = m.person(w) || moved
	if !moved {
		m.rests++
		m.rest(w)
	}
}

// branch explores what follows from one step.
func (m *model) branch(w *world, what string, step func(*world)) {
	c := w.clone()
	step(c)
	m.path = append(m.path, what)
	m.explore(c)
	m.path = m.path[:len(m.path)-1]
}

func (m *model) fail(format string, args ...any) {
	if m.broken == "" {
		m.broken = fmt.Sprintf(format, args...)
		for i, p := range m.path {
			m.broken += fmt.Sprintf("\n%3d. %s", i+1, p)
		}
	}
}

// check is what holds in every state.
func (m *model) check(w *world) {
	if m.policy == AtMostOnce && w.sends > 1+w.resends {
		m.fail("%d sends under AtMostOnce, %d of them asked for", w.sends, w.resends)
	}
	if w.version != 0 && w.rec.State == StateSent && w.sends == 0 && !w.sent {
		m.fail("SENT is on record and nothing was sent")
	}
	for _, s := range w.slots {
		if s.parked && (w.version == 0 || w.rec.mark() == "") {
			m.fail("nobody is told of a dead letter: the record is %q", w.rec.State)
		}
		if s.run != nil && s.run.next() == actEnd && acknowledged(s.run.verdict()) && w.sends == 0 && !w.sent {
			m.fail("%s was acknowledged and nothing was sent", s.owner)
		}
	}
}

func acknowledged(e ending) bool { return e == endSent || e == endDuplicate }

// rest is the end of a history: the message comes once more, to workers that
// meet no fault, until it is acknowledged or parked.
func (m *model) rest(w *world) {
	parked := !slices.ContainsFunc(w.slots, func(s slot) bool { return !s.done })
	if parked && w.resends == 0 && (w.version == 0 || w.rec.State == StateNotSent || w.rec.State == StateClaimed) {
		m.fail("no message is left to bring the effect about, and nobody is told: the record is %q", w.rec.State)
	}
	c := w.clone()
	for n := 0; ; n++ {
		if n == 4 {
			m.fail("%d runs without a fault came to no end; the record is %s", n, c.rec.State)
			return
		}
		e := m.clean(c, fmt.Sprintf("z%d", n))
		if m.policy == AtMostOnce && e == endUnknown {
			if !slices.Contains(w.hit, c.rec.Owner) {
				m.fail("UNKNOWN without a fault in the window of %s", c.rec.Owner)
			}
			break
		}
		if acknowledged(e) {
			break
		}
	}
	m.check(c)
	if m.policy == AtLeastOnce && c.sends == 0 && !c.sent {
		m.fail("nothing was sent under AtLeastOnce")
	}
}

// clean is a run to which nothing happens.
func (m *model) clean(w *world, owner string) ending {
	a := m.make(owner, m.policy)
	for range 100 {
		switch a.next() {
		case actRead:
			a.read(w.rec, w.current(), late)
		case actWrite:
			how := wroteNot
			if w.put(a.target()) {
				how = wroteIt
			}
			a.wrote(how, w.current(), early)
		case actPrepare:
			a.prepared("", true, early)
		case actPerform:
			w.sends++
			a.performed(outcome{fate: fateSent}, early)
		case actEnd:
			return a.verdict()
		}
	}
	m.fail("a run without a fault went on for 100 steps")
	return 0
}
