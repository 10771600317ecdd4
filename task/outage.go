package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// Bounds of the wait for a ledger that does not answer.
const (
	// askLeast and askMost are the pauses between two runs that ask it.
	askLeast = time.Second
	askMost  = 15 * time.Second
	// awayLeast and awayMost bound the pause of a task that was sent away. In
	// between it is as long as the outage has lasted, so that all tasks are back
	// soon after a short one, and cost little in a long one.
	awayLeast = 2 * time.Second
	awayMost  = 5 * time.Minute
	// awayTold is how often an outage is logged.
	awayTold = time.Minute
	// waitMost is how long after it was due a task may wait for its ledger
	// without an attempt used up: as long as SQS keeps a message. What the ledger
	// keeps is kept for longer than that (ledger.MinRetention).
	waitMost = 14 * 24 * time.Hour
	// askedFor is how long a run must have waited for the ledger, when its
	// context ended meanwhile, for that to be the ledger's fault.
	askedFor = time.Second
)

// outage is what a worker knows of a ledger that does not answer. A store that
// is cut off says nothing for half a minute, and each run that asks it sits in
// its slot: so while it is away one run at a time asks, now and then, and the
// others are sent away with what that one heard. A nil *outage knows nothing.
type outage struct {
	log *slog.Logger

	mu     sync.Mutex
	since  time.Time // zero: it answers
	err    error     // of who asked last
	next   time.Time // when somebody may ask again
	gap    time.Duration
	asking bool
	told   time.Time
	away   int // effects sent away since the outage began
}

// enter returns nil to a run that may ask the ledger, which then calls leave.
func (o *outage) enter(key string) error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.since.IsZero():
		return nil
	case o.asking || time.Now().Before(o.next):
		return fmt.Errorf("ledger: %q: %w (since %s): %w", key, ErrLedgerUnreachable, o.since.UTC().Format(time.RFC3339), o.err)
	}
	o.asking = true
	return nil
}

// answers says that the ledger did.
func (o *outage) answers() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return
	}
	o.log.Info("the ledger answers again", "outage", time.Since(o.since).Round(time.Second), "effects_postponed", o.away)
	o.since, o.err, o.gap, o.asking, o.told, o.away = time.Time{}, nil, 0, false, time.Time{}, 0
}

// leave takes what a run was told by the ledger.
func (o *outage) leave(ctx context.Context, err error, took time.Duration) {
	_, unrecorded := errors.AsType[*ledger.UnrecordedError](err)
	switch {
	case o == nil:
	case stoppedEarly(ctx, err, took):
		o.mu.Lock()
		o.asking = false
		o.mu.Unlock()
	case unrecorded || errors.Is(err, ErrLedgerUnreachable):
		o.fails(err)
	default:
		o.answers()
	}
}

// stoppedEarly reports whether a run was stopped before the ledger had time to
// answer.
func stoppedEarly(ctx context.Context, err error, took time.Duration) bool {
	return errors.Is(err, ErrLedgerUnreachable) && ctx.Err() != nil && took < askedFor
}

func (o *outage) fails(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.since.IsZero() {
		o.since = now
	}
	o.err, o.asking = err, false
	if cause, ok := errors.AsType[*records.Error](err); ok { // without the key of one of many
		o.err = cause
	}
	o.gap = min(max(2*o.gap, askLeast), askMost)
	o.next = now.Add(o.gap)
}

// pause is how long a task is sent away for, and logs the outage now and then.
func (o *outage) pause(err error) time.Duration {
	p := awayLeast
	if o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		now := time.Now()
		o.away++
		if !o.since.IsZero() {
			p = min(max(now.Sub(o.since), awayLeast), awayMost)
		}
		if now.Sub(o.told) >= awayTold {
			o.told = now
			o.log.Error("the ledger cannot be reached: nothing is sent, and tasks that would send wait without an attempt used up",
				"error", cmp.Or(o.err, err), "since", o.since, "effects_postponed", o.away)
		}
	}
	return p/2 + rand.N(p/2)
}
