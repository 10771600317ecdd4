package push

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

const (
	failuresToClose = 5 // in a row, of an endpoint that answers
	minPause        = 100 * time.Millisecond
	maxPause        = 5 * time.Second
	maxAsked        = time.Minute // that a 503 puts the next look off by
	tellEach        = time.Minute
)

// verdict is what one push says about the endpoint.
type verdict int

const (
	works   verdict = iota // it ran the task, or had something against that one task
	fails                  // it answered as one that works does not, or not at all
	missing                // it was not reached
	silent                 // nothing: the push was broken off from here
)

// gate keeps tasks from an endpoint that is down, so that their attempts are not
// used up in seconds. It closes when the endpoint is not reached, or has failed
// five times in a row; then one push at a time goes to see, with a growing pause
// between, and the first that works opens it for all. Where a 503 says when to
// come again nobody goes before, for a minute at most. A 429 puts nothing off but
// its own task: it may speak of one tenant alone, whose backlog must not hold up
// the others'.
type gate struct {
	log *slog.Logger

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced when one may look again
	failures int           // in a row, while open
	level    int           // pushes that failed since it closed; 0: open
	next     time.Time     // of the next probe
	since    time.Time     // when it closed
	why      error         // of the latest push that failed
	probing  bool
	told     time.Time
}

func (g *gate) init(log *slog.Logger) { g.log, g.changed = log, make(chan struct{}) }

// enter waits until a push may go. probe is to be handed to leave.
func (g *gate) enter(ctx context.Context, stopping <-chan struct{}) (probe bool, err error) {
	paused := task.Pausing(ctx)
	for {
		if isClosed(paused) {
			return false, errPaused
		}
		g.mu.Lock()
		wait, changed := time.Until(g.next), g.changed
		switch {
		case g.level == 0:
			g.mu.Unlock()
			return false, nil
		case g.probing:
			wait = maxTimeout // until it changes
		case wait <= 0:
			g.probing = true
			g.mu.Unlock()
			return true, nil
		}
		g.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-stopping:
			err = errStopping
		case <-paused: // said above
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		timer.Stop()
		if err != nil {
			return false, err
		}
	}
}

// leave says what a push that entered has found, and how long the endpoint asked
// for patience, if it did.
func (g *gate) leave(probe bool, v verdict, err error, asked time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	switch {
	case v == works:
		if g.level > 0 {
			g.log.Info("the push endpoint answers again")
		}
		g.level, g.failures, g.told = 0, 0, time.Time{}
	case v == silent, g.level > 0 && !probe: // sent before it closed
	case g.level > 0:
		g.close(err, asked)
	default:
		if g.failures++; v == missing || g.failures >= failuresToClose {
			g.close(err, asked)
		}
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// close is called with mu held.
func (g *gate) close(err error, asked time.Duration) {
	if g.level++; g.level == 1 {
		g.since = time.Now()
	}
	g.why = err
	pause := min(maxPause, minPause<<min(g.level, 10))
	g.next = time.Now().Add(max(pause/2+rand.N(pause/2), min(asked, maxAsked)))
	if time.Since(g.told) > tellEach {
		g.told = time.Now()
		g.log.Warn("the push endpoint is down: tasks wait, and one at a time goes to see", "error", err)
	}
}

// asked is how long all are to stay away.
func (x try) asked() time.Duration {
	if x.status == http.StatusServiceUnavailable {
		return x.after
	}
	return 0
}

// verdict judges the endpoint by an exchange. Statuses of a client's mistake
// speak of one task; those that a wrong address, a wrong token or an overload
// gives speak of all.
func (x try) verdict() verdict {
	switch {
	case x.err == nil && x.status == 0,
		errors.Is(x.err, errStopping), errors.Is(x.err, errPaused), errors.Is(x.err, task.ErrDraining), errors.Is(x.err, task.ErrLeaseLost), errors.Is(x.err, task.ErrCancelled):
		return silent
	case unsent(x.err):
		return missing
	case x.err != nil:
		return fails
	}
	switch x.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooManyRequests:
		return fails
	}
	if x.status >= 200 && x.status <= 299 || x.status >= 400 && x.status <= 499 {
		return works
	}
	return fails
}
