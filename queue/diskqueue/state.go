package diskqueue

import (
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/queue/diskqueue/internal/seglog"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// state is one queue. The engine's lock guards it.
//
// A message is in exactly one of these conditions:
//   - fresh: entry.flight is 0; never delayed nor received; seq >= cursor;
//   - hidden: its flight is delayed or inFlight, in the heap;
//   - due: its flight is due, in the line.
//
// Visible are the fresh whose record is on the disk, and the due. The two take
// turns, so that neither messages that come back at once nor a long backlog
// starve the other.
type state struct {
	uid      uint32
	name     string
	attrs    driver.Attributes
	tags     map[string]string
	created  int64 // Unix milliseconds, as all times here
	modified int64
	purged   int64 // 0: never

	messages entries
	cursor   uint64 // no message below is fresh
	hidden   hidden
	due      line
	delayed  int
	inFlight int
	dueTurn  bool // a due message is preferred

	waiters []*waiter
	waiting atomic.Int32 // len(waiters), read without the lock
}

func newState(uid uint32, name string, s *flights) *state {
	return &state{uid: uid, name: name, hidden: hidden{s: s}, due: line{s: s}}
}

// visible counts messages that a receive could get.
func (q *state) visible() int { return q.messages.n - q.delayed - q.inFlight }

// hide puts a message that is neither hidden nor due among the hidden.
func (q *state) hide(i uint32, f *flight, s flightState, until int64) {
	f.state, f.visibleAt = s, until
	q.hidden.push(i)
	q.count(s, 1)
}

// leave takes a message out of the heap or the line.
func (q *state) leave(i uint32, f *flight) {
	if f.state == due {
		q.due.remove(i)
		return
	}
	q.hidden.remove(int(f.place))
	q.count(f.state, -1)
}

func (q *state) count(s flightState, n int) {
	if s == delayed {
		q.delayed += n
	} else {
		q.inFlight += n
	}
}

// promote makes due what is hidden no longer, and returns how many.
func (q *state) promote(now int64) (n int) {
	for f := q.hidden.top(); f != nil && f.visibleAt <= now; f = q.hidden.top() {
		i := q.hidden.h[0]
		q.leave(i, f)
		f.state = due
		q.due.push(i)
		n++
	}
	return n
}

// next returns the message to hand out: the first due or the first fresh one.
// It stays where it is. Fresh messages beyond synced are not on the disk yet.
func (q *state) next(synced seglog.Pos) *entry {
	fresh := func() (found *entry) {
		q.messages.from(q.cursor, func(e *entry) bool {
			if e.flight == 0 {
				if e.pos < synced {
					found = e
				}
				return false
			}
			q.cursor = e.seq() + 1
			return true
		})
		return found
	}
	if q.due.head != 0 && q.dueTurn {
		return q.messages.get(q.due.s.get(q.due.head).seq)
	}
	if e := fresh(); e != nil {
		return e
	}
	if q.due.head != 0 {
		return q.messages.get(q.due.s.get(q.due.head).seq)
	}
	return nil
}

// expired reports whether a message is past its retention. The time of sending
// is known here to the second: a message is kept up to a second longer.
func (q *state) expired(e *entry, now int64) bool {
	return (int64(e.sent)+1)*1000+q.attrs.Retention.Milliseconds() <= now
}

// waiter is a receive that found nothing.
type waiter struct {
	wake     chan struct{} // of capacity 1
	signaled bool
}

// wakeUp tells up to n waiters that there may be a message. Each one that
// takes some and leaves others wakes the next.
func (q *state) wakeUp(n int) {
	for _, w := range q.waiters {
		if n == 0 {
			return
		}
		if !w.signaled {
			w.signaled = true
			w.wake <- struct{}{}
			n--
		}
	}
}

func milli(t time.Time) int64 { return t.UnixMilli() }

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
