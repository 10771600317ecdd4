package ledger

import "time"

// actor is one run: production's attempt, or a control that must fail.
type actor interface {
	next() action
	target() (want Entry, base string, blind bool)
	read(Entry, string, time.Time)
	wrote(written, string, time.Time)
	prepared(string, bool, time.Time)
	performed(outcome, time.Time)
	unreachable()
	renewal(time.Time) (Entry, bool)
	renewed(Entry, string)
	verdict() ending
	window() bool // whether a fault now may leave the effect unknown
	clone() actor
	key(current string) string
}

const (
	modelLease      = time.Second
	modelQuarantine = time.Minute
)

// The two times of a decision: nothing is over yet, or everything is.
var (
	early = time.Unix(1000, 0).UTC()
	late  = early.Add(time.Hour)
	times = [...]time.Time{early, late}
)

// production is the attempt of this package, driven by the model.
type production struct{ attempt }

func newProduction(owner string, policy Policy) actor {
	p := &production{}
	p.terms = terms{key: "k", owner: owner, policy: policy, lease: modelLease, quarantine: modelQuarantine}
	return p
}

// settle makes what was just decided as old as everything else, so that it too
// may look over or not to whoever comes next.
func (p *production) settle() {
	for _, e := range []*Entry{&p.want, &p.seen} {
		if !e.Until.IsZero() {
			e.At, e.Until = early, early.Add(modelLease)
		}
	}
}

func (p *production) target() (Entry, string, bool) { return p.want, p.base, false }
func (p *production) read(e Entry, v string, now time.Time) {
	p.attempt.read(e, v, now)
	p.settle()
}
func (p *production) wrote(how written, v string, now time.Time) {
	p.attempt.wrote(how, v, now)
	p.settle()
}
func (p *production) prepared(why string, ok bool, now time.Time) {
	p.attempt.prepared(why, ok, now)
	p.settle()
}
func (p *production) performed(o outcome, now time.Time) {
	p.attempt.performed(o, now)
	p.settle()
}
func (p *production) verdict() ending { return p.end.ending }
func (p *production) window() bool    { return p.goal == goalBarrier || p.goal == goalRecord }
func (p *production) clone() actor    { c := *p; return &c }
func (p *production) key(current string) string {
	b := []byte{'0' + byte(p.goal), '0' + byte(p.todo), flag(p.base == current), flag(p.base == ""), '0' + byte(p.late), '0' + byte(p.outcome.fate), '0' + byte(p.end.ending)}
	return string(face(face(b, p.seen), p.want))
}

// face is what of an entry can make a difference.
func face(b []byte, e Entry) []byte {
	b = append(append(append(b, '/'), e.State...), e.Owner...)
	for _, owner := range e.Sends {
		b = append(append(b, '+'), owner...)
	}
	return append(append(append(b, '%'), e.Parked...), flag(e.Until.IsZero()))
}

func flag(yes bool) byte {
	if yes {
		return 'y'
	}
	return 'n'
}
