package edge

import (
	"fmt"
	"math"
	"time"
)

// An outcome is what a delivery says about its target.
type outcome int

const (
	clientLeft    outcome = iota // the client went away: it says nothing
	notTaken                     // no answer, for which the target is not to blame
	answered                     // answered with a status below 500
	answeredError                // answered with another
	faulty                       // not answered, or not whole, or not in HTTP
)

const (
	ejectStrikes = 3               // failures in a row that take a target out
	judgeSlice   = 5 * time.Second // rates are of this time and the same before
	judgeLeast   = 20              // outcomes below which a rate says nothing
	judgeSigmas  = 5               // standard errors between a target and its peers
	judgeMargin  = 0.2             // and this much of all requests besides
)

// A record is how a target's deliveries ended lately.
type record struct {
	strikes   int // failures in a row
	all, bad  [2]int
	began     time.Time // of slice 0; slice 1 is the one before
	out       bool
	until     time.Time     // out until then, and until a check passes
	last      time.Duration // the last time out
	back      time.Time     // its end
	ejections uint64
}

// add counts an outcome. It reports whether the target has failed too often in
// a row. It is called with Edge.mu held.
func (r *record) add(o outcome, errorsCount bool) bool {
	switch o {
	case answered, answeredError:
		r.strikes = 0
		r.all[0]++
		if o == answeredError && errorsCount {
			r.bad[0]++
		}
	case faulty:
		r.strikes++
		r.all[0]++
		r.bad[0]++
		return r.strikes >= ejectStrikes
	}
	return false
}

// slide moves the slices on.
func (r *record) slide(now time.Time) {
	switch age := now.Sub(r.began); {
	case age >= 2*judgeSlice:
		r.all, r.bad, r.began = [2]int{}, [2]int{}, now
	case age >= judgeSlice:
		r.all, r.bad, r.began = [2]int{0, r.all[0]}, [2]int{0, r.bad[0]}, now
	}
}

// worse reports whether bad of all is so much more than that of the peers that
// it is no chance: the difference of two proportions in standard errors.
func worse(bad, all, peersBad, peersAll int) bool {
	if all < judgeLeast || peersAll < judgeLeast {
		return false
	}
	n, m := float64(all), float64(peersAll)
	p, q := float64(bad)/n, float64(peersBad)/m
	pooled := float64(bad+peersBad) / (n + m)
	return p-q >= judgeMargin && p-q >= judgeSigmas*math.Sqrt(pooled*(1-pooled)*(1/n+1/m))
}

// judge compares a target with its peers, and takes it out if it is much worse.
func (e *Edge) judge(t *target, now time.Time) {
	e.mu.Lock()
	bad, all, peersBad, peersAll := 0, 0, 0, 0
	for _, o := range e.targets {
		o.record.slide(now)
		b, a := o.record.bad[0]+o.record.bad[1], o.record.all[0]+o.record.all[1]
		switch {
		case o == t:
			bad, all = b, a
		case o.available():
			peersBad, peersAll = peersBad+b, peersAll+a
		}
	}
	out := worse(bad, all, peersBad, peersAll) && e.eject(t, fmt.Sprintf("%d of %d requests failed, and %d of %d at the others", bad, all, peersBad, peersAll), now)
	e.mu.Unlock()
	if out {
		e.ejected(t)
	}
}

// eject takes a target out for a time, if enough are left without it. It is
// called with Edge.mu held; ejected does the rest without.
func (e *Edge) eject(t *target, reason string, now time.Time) bool {
	r, o := &t.record, &e.setup().Balance
	if o.Eject == EjectNever || r.out || t.draining || t.gone {
		return false
	}
	in, least := e.inRotation()
	if t.available() { // or it refused a connection, and a check brings it back soon
		in--
	}
	if in < least {
		return false
	}
	r.strikes = 0
	if r.last == 0 || now.Sub(r.back) > 10*r.last {
		r.last = o.EjectTime
	} else {
		r.last = min(2*r.last, o.EjectTimeMax)
	}
	r.out, r.until = true, now.Add(r.last)
	r.ejections++
	e.ejections++
	t.reason = reason
	e.left()
	return true
}

// ejected ends what eject began.
func (e *Edge) ejected(t *target) {
	e.mu.Lock()
	reason, last := t.reason, t.record.last
	e.mu.Unlock()
	e.log.Warn("target ejected", "target", t.name, "url", t.url, "reason", reason, "for", last)
	t.dropIdle()
	t.checkSoon() // so that the end of that time is waited for
}

// inRotation counts the targets that take requests, and how many of them Eject
// has to leave. It is called with Edge.mu held.
func (e *Edge) inRotation() (in, least int) {
	all := 0
	for _, t := range e.targets {
		if !t.draining && !t.gone {
			all++
		}
		if t.available() {
			in++
		}
	}
	return in, max(1, all-all*e.setup().Balance.EjectMost/100)
}

// readmit brings an ejected target back, whose check passed, when its time is
// over. The first failure then takes it out again.
func (e *Edge) readmit(t *target, now time.Time) {
	e.mu.Lock()
	over := t.record.out && t.up && !now.Before(t.record.until)
	if over {
		e.comeBack(t, now)
	}
	e.mu.Unlock()
	if over {
		e.log.Info("target back", "target", t.name, "url", t.url)
	}
}

func (e *Edge) comeBack(t *target, now time.Time) {
	r := &t.record
	r.out, r.back, r.strikes = false, now, ejectStrikes-1
	r.all, r.bad, r.began = [2]int{}, [2]int{}, now
	t.reason = ""
	e.begin(t, now)
	e.wakeHeld()
}

// left sees to the rest after a target left the rotation: where too few are
// left, those that Eject took out are used all the same, since most of them
// being bad means that the cause is elsewhere. It is called with Edge.mu held.
func (e *Edge) left() {
	if in, least := e.inRotation(); in < least {
		now := time.Now()
		for _, t := range e.targets {
			if t.record.out && t.up && !t.draining && !t.gone {
				e.comeBack(t, now)
				t.record.strikes = 0
				e.log.Warn("target back, since too few are left", "target", t.name, "url", t.url)
			}
		}
	}
	e.lookAgain()
}

// others reports whether another target than t is available.
func (e *Edge) others(t *target) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range e.targets {
		if o != t && o.available() {
			return true
		}
	}
	return false
}
