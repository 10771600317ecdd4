package diskqueue

import (
	"strings"
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
//   - due: its flight is due, in the line;
//   - waiting or due in a line of its group, which all messages of FIFO queues
//     have (group.go).
//
// Visible are the fresh and waiting whose record is on the disk, and the due.
// Those that came back and those that did not take turns, so that neither
// messages that come back at once nor a long backlog starve the other.
type state struct {
	uid      uint32
	name     string
	fifo     bool
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
	groups   groups
	dedup    dedup
	attempts attempts

	waiters []*waiter
	waiting atomic.Int32 // len(waiters), read without the lock
}

func newState(uid uint32, name string, s *flights) *state {
	return &state{uid: uid, name: name, fifo: strings.HasSuffix(name, ".fifo"), hidden: hidden{s: s}, due: line{s: s}}
}

// visible counts messages that a receive could get.
func (q *state) visible() int { return q.messages.n - q.delayed - q.inFlight }

// hide puts a message that is neither hidden nor due among the hidden.
func (q *state) hide(i uint32, f *flight, s flightState, until int64) {
	f.state, f.visibleAt = s, until
	q.hidden.push(i)
	q.count(f, 1)
}

// show makes visible a message that is neither hidden nor visible.
func (q *state) show(i uint32, f *flight, s flightState) {
	f.state = s
	if f.group != 0 {
		q.line(i, f)
	} else {
		q.due.push(i)
	}
}

// leave takes a message out of the heap or the line.
func (q *state) leave(i uint32, f *flight) {
	switch {
	case f.state == delayed || f.state == inFlight:
		q.hidden.remove(int(f.place))
		q.count(f, -1)
	case f.group != 0:
		q.unline(i, f)
	default:
		q.due.remove(i)
	}
}

func (q *state) count(f *flight, n int) {
	if f.state == delayed {
		q.delayed += n
		return
	}
	q.inFlight += n
	if f.group != 0 {
		x := q.groups.list[f.group]
		x.inFlight += n
		if q.fifo {
			x.hold(f.seq, n > 0)
		}
		q.regroup(x)
	}
}

// promote makes due what is hidden no longer, and returns how many.
func (q *state) promote(now int64) (n int) {
	for f := q.hidden.top(); f != nil && f.visibleAt <= now; f = q.hidden.top() {
		i := q.hidden.h[0]
		q.leave(i, f)
		q.show(i, f, due)
		n++
	}
	return n
}

// next returns the message to hand out; it stays where it is. Fresh messages
// beyond synced are not on the disk yet. On a FIFO queue s is what the same
// receive has already, or nil: its group goes first, as SQS hands out as many of
// one group as it can.
func (q *state) next(synced seglog.Pos, s *streak) *entry {
	if q.fifo {
		if s != nil {
			if m := q.pick(s.of, synced); m != nil && m.seq() < s.until {
				return m
			}
		}
		return q.inTurn(synced)
	}
	if q.due.head != 0 && q.dueTurn {
		return q.messages.get(q.due.s.get(q.due.head).seq)
	}
	m := q.fresh(synced)
	if len(q.groups.byName) > 0 {
		m = q.fair(m, synced)
	}
	if m == nil && q.due.head != 0 {
		m = q.messages.get(q.due.s.get(q.due.head).seq)
	}
	if m == nil {
		m = q.loud(synced)
	}
	return m
}

// inTurn returns a message of the group of a FIFO queue whose turn it is, or nil.
// What is not on the disk yet, such as a dead letter, for whose move nobody waits,
// does not keep the other groups waiting; to look at all of them is rare.
func (q *state) inTurn(synced seglog.Pos) (found *entry) {
	ready := q.groups.ready
	if len(ready) == 0 {
		return nil
	}
	if found = q.pick(ready[0], synced); found != nil {
		return found
	}
	var turn uint64
	for _, x := range ready[1:] {
		if found != nil && x.key > turn {
			continue
		}
		if m := q.pick(x, synced); m != nil {
			found, turn = m, x.key
		}
	}
	return found
}

// fresh returns the first message without a group that was never delayed nor
// received, or nil.
func (q *state) fresh(synced seglog.Pos) (found *entry) {
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

// fair returns the older of a message without a group and the first of the
// groups that are not noisy.
func (q *state) fair(fresh *entry, synced seglog.Pos) *entry {
	x := q.quiet()
	if x == nil || fresh != nil && fresh.seq() < x.key {
		return fresh
	}
	if m := q.pick(x, synced); m != nil {
		return m
	}
	return fresh
}

// loud returns a message of the noisy groups: when nobody else has one.
func (q *state) loud(synced seglog.Pos) (first *entry) {
	for _, x := range q.groups.noisy {
		if m := q.pick(x, synced); m != nil && (first == nil || m.seq() < first.seq()) {
			first = m
		}
	}
	return first
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
