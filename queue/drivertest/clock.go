package drivertest

import (
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// sleep lets time go by: really, or in the bubble.
func (e *env) sleep(d time.Duration) { time.Sleep(d) }

// brief is a visibility, or a delay, that a test waits for. On the clock it is
// so long that also a busy machine looks, before it ends, that nothing comes
// sooner.
func (e *env) brief() time.Duration {
	if e.h.Virtual {
		return time.Second
	}
	return 5 * time.Second
}

// shortly makes a queue's visibility brief.
func (e *env) shortly(a *queue.Attributes) { a.Visibility = e.brief() }

// past waits until what was brief is over.
func (e *env) past() { e.sleep(e.brief() + 200*time.Millisecond) }

// slack is how late something may be on the clock of a busy machine: less than
// the waits of the tests, which last longer where nothing ends them.
func (e *env) slack() time.Duration {
	if e.h.Virtual {
		return 10 * time.Millisecond
	}
	return 10 * time.Second
}

// early is how much sooner something may seem to be: a service need not count
// time as finely as the test does.
func (e *env) early() time.Duration {
	if e.h.Virtual {
		return 5 * time.Millisecond
	}
	return 300 * time.Millisecond
}

// wantElapsed checks a time span, from before what begins it: not shorter, and
// not longer by more than slack.
func (e *env) wantElapsed(since time.Time, want time.Duration) {
	e.Helper()
	if got := time.Since(since); got < want-e.early() || got > want+e.slack() {
		e.Errorf("took %v, want %v", got, want)
	}
}
