// Package ledger keeps on record which effects were brought about, so that a
// mail, a charge or a call that must happen once does, however often the task
// around it runs. Package task is how tasks use it.
//
// Each effect has a key and a record in a records.Store:
//
//	ABSENT → CLAIMED → SENDING → SENT | NOT_SENT | UNKNOWN
//
// Every arrow is one compare-and-swap. SENDING is durable before the effect
// begins. A claim may be taken over when its lease is over; SENDING never: if
// its owner does not renew it, it becomes UNKNOWN, as nobody can tell whether
// the effect happened. Then the policy decides: AtMostOnce leaves it to a
// person, AtLeastOnce brings the effect about again. NOT_SENT is only written
// by who knows that nothing happened, and may be claimed again.
//
// What is never possible under AtMostOnce, whatever crashes, pauses, lies about
// the time or loses an answer: that the effect begins a second time without a
// person having said so. Clocks only say when a record may be looked at anew.
// The machine is in attempt.go and does nothing but decide; the tests explore
// that same code exhaustively.
package ledger

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// Defaults of Options.
const (
	DefaultLease      = 30 * time.Second
	DefaultQuarantine = time.Minute
	DefaultRetention  = 60 * 24 * time.Hour
)

// MinRetention is the least time a record may be kept: the longest a message
// stays in a queue, and as long again in the dead-letter queue.
const MinRetention = 28 * 24 * time.Hour

// Options of a ledger; nil means the defaults.
type Options struct {
	// Lease is how long a claim holds without a word from its owner; an owner
	// that is in its effect renews it every third of it. 1 s–1 h, default 30 s.
	// All programs that share a store should have the same.
	Lease time.Duration
	// Quarantine is how long after its lease an effect in SENDING is given
	// before it is declared UNKNOWN, and under AtLeastOnce how long after an
	// unknown end it is begun again. It has to exceed the difference between
	// the machines' clocks, else effects of live workers are declared unknown
	// (and under AtLeastOnce repeated). 1 s–24 h, default 1 min.
	Quarantine time.Duration
	// Retention is how long the record of an effect that was sent, or
	// certainly not, is kept after its last change. It has to exceed all
	// the time a message can be about: 14 days in a queue of SQS, 14 in its
	// dead-letter queue, and both again after a redrive. At least 28 days,
	// default 60. What is SENDING or UNKNOWN is kept until it is resolved.
	Retention time.Duration
	// Log takes what a person should know; default nothing. Payloads and
	// results are never logged, keys are.
	Log *slog.Logger
	// Now is the clock; default time.Now. Tests of clocks that are wrong, or
	// are stepped, set it.
	Now func() time.Time
}

// Ledger keeps effects in one store. It may be used by any number of
// goroutines, and by any number of processes on one store.
type Ledger struct {
	store  *records.Store
	o      Options
	worker string // of this process, for people
	settle time.Duration
	now    func() time.Time
}

// New returns a ledger on a store, which stays the caller's to close.
func New(store *records.Store, options *Options) (*Ledger, error) {
	var o Options
	if options != nil {
		o = *options
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Ledger{store: store, now: o.Now, settle: settleTime}
	for _, d := range []struct {
		name           string
		value          *time.Duration
		normal, lo, hi time.Duration
	}{
		{"Lease", &o.Lease, DefaultLease, time.Second, time.Hour},
		{"Quarantine", &o.Quarantine, DefaultQuarantine, time.Second, 24 * time.Hour},
		{"Retention", &o.Retention, DefaultRetention, MinRetention, 100 * 365 * 24 * time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.normal
		}
		if *d.value < d.lo || *d.value > d.hi {
			return nil, fmt.Errorf("ledger: Options.%s is %v, not %v–%v", d.name, *d.value, d.lo, d.hi)
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed"
	}
	l.o, l.worker = o, cut(fmt.Sprintf("%s/%d", host, os.Getpid()), maxWorker)
	return l, nil
}
