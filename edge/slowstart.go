package edge

import (
	"math/rand/v2"
	"time"
)

// A target's weight is its share of the requests, of wholeWeight. It is less
// while the target is warming: just after its start an instance has empty
// caches, no connections to the database and code that is not compiled yet,
// and its few outstanding requests would draw all that come.
const (
	wholeWeight = 1000
	coldWeight  = wholeWeight / 10
)

// begin gives a target that comes into rotation its first share. It is called
// with Edge.mu held, when the target is available.
func (e *Edge) begin(t *target, now time.Time) {
	t.since = now
	t.weight = wholeWeight
	slow := e.setup().Balance.SlowStart
	if slow <= 0 {
		return
	}
	for _, o := range e.targets {
		if o != t && o.available() && o.weight == wholeWeight && now.Sub(o.since) >= slow {
			t.weight = coldWeight
			e.warming = true
			return
		}
	}
	e.allWarm() // nobody could carry the rest
}

func (e *Edge) allWarm() {
	e.warming = false
	for _, t := range e.targets {
		t.weight = wholeWeight
	}
}

// warm has the shares of warming targets grow, and may choose one of them.
//
// Where there is much to do, the loads that pick compares, (outstanding+1) by
// weight, keep a target at its share. Where all are idle the same comparison
// would never choose one that warms, so that it stayed cold: an idle one
// therefore gets each request with the probability that its weight is of all.
// It is called with Edge.mu held.
func (e *Edge) warm(avoid *target, now time.Time) (chosen *target) {
	e.warming = false
	spared := false
	for _, t := range e.targets {
		if t.weight == wholeWeight {
			spared = spared || t.available()
			continue
		}
		grown := int64(now.Sub(t.since)) * wholeWeight / int64(e.setup().Balance.SlowStart)
		t.weight = min(wholeWeight, max(coldWeight, grown))
		e.warming = e.warming || t.weight < wholeWeight
		spared = spared || t.weight == wholeWeight && t.available()
		if chosen == nil && t.outstanding == 0 && t != avoid && t.available() && rand.Int64N(int64(len(e.targets))*wholeWeight) < t.weight {
			chosen = t
		}
	}
	if !spared {
		e.allWarm()
		return nil
	}
	return chosen
}
