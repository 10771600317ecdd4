package edge

import (
	"fmt"
	"regexp"
	"time"
)

// Balance says how requests are shared out among targets. The zero value means
// the defaults that the fields state.
type Balance struct {
	// SlowStart is how long the share of a target grows that is new, or comes
	// back, while others are warm: from a tenth of theirs to all of it. A target
	// is warm once it has been in rotation that long. Default 10 s; below zero
	// every target has its whole share at once.
	SlowStart time.Duration

	// Eject says what takes a target out although its checks pass. Default
	// EjectFailures.
	Eject Eject
	// EjectTime is how long a target is out the first time; it doubles each
	// time up to EjectTimeMax, and begins again after a target was in for ten
	// times as long as it was out. Defaults 5 s and 5 min.
	EjectTime, EjectTimeMax time.Duration
	// EjectMost is the percentage of targets that may be out by Eject at once,
	// rounded down: where fewer of the others are left, all are used. Default 50.
	EjectMost int

	// PerTarget bounds the requests under way at one target, upgraded
	// connections and event streams not counted. What comes beyond waits in a
	// line. Default 0: no bound.
	PerTarget int
	// Queue is how many requests that line holds, and QueueTimeout how long each
	// waits, the oldest served first. A line that has not been empty for
	// QueueTimeout is overload: then the newest is served first, and who has
	// waited a tenth of QueueTimeout is turned away. Defaults 256 and 5 s. Queue
	// below zero has none wait.
	Queue        int
	QueueTimeout time.Duration

	// Sticky is the name of a cookie by which a browser's requests keep going to
	// one target while that is available. Default "": none.
	Sticky string
}

// Eject says what takes a target out although its checks pass.
type Eject string

// What a target is taken out for. A failure is a delivery that met no answer:
// the connection was refused or broke, what came was not HTTP, or nothing came
// in time.
const (
	EjectFailures Eject = "failures" // three in a row, or many more than its peers have
	EjectErrors   Eject = "errors"   // also many more answers of status 500 and above than its peers give
	EjectNever    Eject = "never"
)

// cookieName is a token (RFC 6265, section 4.1.1), kept short.
var cookieName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (b *Balance) normalize() error {
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"SlowStart", &b.SlowStart, 10 * time.Second},
		{"EjectTime", &b.EjectTime, 5 * time.Second},
		{"EjectTimeMax", &b.EjectTimeMax, 5 * time.Minute},
		{"QueueTimeout", &b.QueueTimeout, 5 * time.Second},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
		if *d.v < time.Millisecond && d.name != "SlowStart" {
			return fmt.Errorf("edge: Balance.%s is %v; it must be at least 1ms", d.name, *d.v)
		}
	}
	b.EjectTimeMax = max(b.EjectTimeMax, b.EjectTime)
	if b.EjectMost == 0 {
		b.EjectMost = 50
	}
	if b.Queue == 0 {
		b.Queue = 256
	}
	if b.Eject == "" {
		b.Eject = EjectFailures
	}
	switch {
	case b.EjectMost < 1 || b.EjectMost > 100:
		return fmt.Errorf("edge: Balance.EjectMost is %d; it must be 1 to 100 percent", b.EjectMost)
	case b.PerTarget < 0:
		return fmt.Errorf("edge: Balance.PerTarget is %d; it must not be negative", b.PerTarget)
	case b.Eject != EjectFailures && b.Eject != EjectErrors && b.Eject != EjectNever:
		return fmt.Errorf("edge: Balance.Eject is %q; it must be %q, %q or %q", b.Eject, EjectFailures, EjectErrors, EjectNever)
	case b.Sticky != "" && !cookieName.MatchString(b.Sticky):
		return fmt.Errorf("edge: Balance.Sticky is %q; a cookie's name here is 1–64 characters of A–Z, a–z, 0–9, _ and -", b.Sticky)
	}
	return nil
}
