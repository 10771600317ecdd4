package ledger

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// scope is how far one exploration goes.
type scope struct {
	workers, runs, faults, words int
}

func exploreAll(t *testing.T, policy Policy, s scope, change func(*model)) *model {
	t.Helper()
	m := &model{t: t, policy: policy, make: newProduction, seen: map[uint64]struct{}{},
		ledger: &Ledger{o: Options{Lease: modelLease, Quarantine: modelQuarantine, Retention: DefaultRetention}, now: func() time.Time { return late }}}
	if change != nil {
		change(m)
	}
	w := &world{faults: s.faults, said: s.words}
	for range s.workers {
		w.slots = append(w.slots, slot{runs: s.runs})
	}
	m.explore(w)
	return m
}

// TestModel explores the machine that production runs; with DAYFLY_SOAK set,
// some ten minutes' worth of it.
func TestModel(t *testing.T) {
	scopes := map[Policy][]scope{
		AtMostOnce:  {{2, 1, 0, 1}, {2, 1, 2, 0}, {2, 2, 1, 0}, {3, 1, 0, 0}},
		AtLeastOnce: {{2, 1, 0, 1}, {2, 1, 1, 0}},
	}
	if os.Getenv("DAYFLY_SOAK") != "" {
		more := []scope{{2, 1, 2, 1}, {2, 2, 1, 1}, {2, 1, 3, 0}, {2, 2, 2, 0}, {3, 1, 0, 1}, {3, 1, 1, 0}}
		scopes = map[Policy][]scope{AtMostOnce: more, AtLeastOnce: append(more[:4:4], scope{3, 1, 0, 0})}
	}
	for policy, all := range scopes {
		for _, s := range all {
			begun := time.Now()
			m := exploreAll(t, policy, s, nil)
			t.Logf("%s: %d workers, %d runs each, %d faults, %d words of a person: %d states, %d ends, %v",
				policy, s.workers, s.runs, s.faults, s.words, len(m.seen), m.rests, time.Since(begun).Round(time.Millisecond))
			if m.broken != "" {
				t.Errorf("%s, %+v: %s", policy, s, m.broken)
			}
			if len(m.seen) < 1000 {
				t.Errorf("%s, %+v: only %d states: the model does not move", policy, s, len(m.seen))
			}
		}
	}
}

// lock is the first control: look whether somebody has the lock, take it with a
// time to live, work. As with memcached's get and set.
type lock struct {
	owner string
	todo  action
	done  bool
	end   ending
	want  Entry
}

func (l *lock) next() action                         { return l.todo }
func (l *lock) target() (Entry, string, bool)        { return l.want, "", true }
func (l *lock) unreachable()                         { l.todo, l.end = actEnd, endUnreachable }
func (l *lock) renewal(time.Time) (e Entry, ok bool) { return e, false }
func (l *lock) renewed(Entry, string)                {}
func (l *lock) prepared(string, bool, time.Time)     {}
func (l *lock) verdict() ending                      { return l.end }
func (l *lock) window() bool                         { return l.todo == actPerform }
func (l *lock) clone() actor                         { c := *l; return &c }
func (l *lock) entry(s State) Entry {
	return Entry{State: s, Owner: l.owner, Until: early.Add(modelLease)}
}
func (l *lock) key(string) string {
	return strings.Join([]string{l.owner, string(l.want.State), string(rune('0' + l.todo)), string(rune('0' + l.end))}, " ")
}
func (l *lock) performed(o outcome, _ time.Time) {
	if l.todo, l.end = actEnd, endNotSent; o.fate == fateSent {
		l.todo, l.done, l.want = actWrite, true, l.entry(StateSent)
	}
}
func (l *lock) wrote(how written, _ string, _ time.Time) {
	switch {
	case how == wroteNoMore:
		l.unreachable()
	case l.done:
		l.todo, l.end = actEnd, endSent
	default:
		l.todo = actPerform
	}
}
func (l *lock) read(e Entry, version string, now time.Time) {
	switch {
	case version != "" && e.State == StateSent:
		l.todo, l.end = actEnd, endDuplicate
	case version != "" && !now.After(e.Until):
		l.todo, l.end = actEnd, endHeld
	default:
		l.todo, l.want = actWrite, l.entry(StateClaimed)
	}
}

// claimed is the second control: the record of an effect in progress is taken
// by compare-and-swap, but once it is over it is simply executed again, and the
// end is written without a look at who owns the record.
type claimed struct {
	lock
	base string
}

func (c *claimed) target() (Entry, string, bool) { return c.want, c.base, c.done }
func (c *claimed) clone() actor                  { d := *c; return &d }
func (c *claimed) key(current string) string {
	if c.base == current {
		return c.lock.key("") + "="
	}
	return c.lock.key("")
}
func (c *claimed) read(e Entry, version string, now time.Time) {
	c.base = version
	c.lock.read(e, version, now)
}
func (c *claimed) wrote(how written, version string, now time.Time) {
	if how != wroteIt && !c.done {
		c.todo, c.end = actEnd, endHeld
		return
	}
	c.lock.wrote(how, version, now)
}

// TestModelFindsBugs: what is known to be wrong is found to be.
func TestModelFindsBugs(t *testing.T) {
	newLock := func(owner string, _ Policy) actor { return &lock{owner: owner} }
	newClaimed := func(owner string, _ Policy) actor { return &claimed{lock: lock{owner: owner}} }
	for name, c := range map[string]struct {
		scope  scope
		change func(*model)
		want   string
	}{
		"a lock with a time to live, clocks that hold, no fault": {scope{2, 1, 0, 0}, func(m *model) { m.make, m.noClock = newLock, true }, "sends under"},
		"a record without an owner check, no fault":              {scope{2, 1, 0, 0}, func(m *model) { m.make = newClaimed }, "sends under"},
		"a record without an owner check, a crash":               {scope{1, 2, 1, 0}, func(m *model) { m.make = newClaimed }, "sends under"},
		"a dead letter that is not put on record":                {scope{2, 1, 0, 0}, func(m *model) { m.park = parkNever }, "nobody is told of a dead letter"},
		"a dead letter that is on record before it is stored":    {scope{2, 1, 0, 1}, func(m *model) { m.park = parkBefore }, "nobody is told of a dead letter"},
		"a store that swaps without comparing":                   {scope{2, 1, 0, 0}, func(m *model) { m.noSwap = true }, "UNKNOWN without a fault"},
	} {
		m := exploreAll(t, AtMostOnce, c.scope, c.change)
		if !strings.Contains(m.broken, c.want) {
			t.Errorf("%s: not found in %d states: %q", name, len(m.seen), m.broken)
			continue
		}
		lines := slices.Collect(strings.Lines(m.broken))
		t.Logf("%s: found after %d states, a history of %d steps", name, len(m.seen), len(lines)-1)
	}
}
