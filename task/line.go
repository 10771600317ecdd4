package task

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// A line is what one request brought of one group of a FIFO queue, in order.
// Its messages run one after the other. The line has one slot, and none while
// its first waits to be tried again; the others are held by their leases alone.
//
// What comes again does so in place, within the line: given back, it would take
// with it all that follow, and SQS would count a delivery of each, though they
// never began. An attempt made in place is counted here and not by the queue, so
// a worker that dies forgets it.
//
// What is given back goes last first. SQS, and the embedded engine, hand out no
// message of a group while an earlier one is in flight, so that the order holds
// whichever change gets through first, or not at all.
type line struct {
	s        *shift
	rest     []*delivery
	received time.Time
	ctx      context.Context // ends when no more of it is to begin
	stop     context.CancelFunc
	ended    chan struct{}
}

// holdMax is how long a line is held. SQS lets a message be in flight for 12
// hours, and a worker that stops pays for each message a delivery.
const holdMax = time.Hour

// lines of a worker, by group.
type lines struct {
	mu      sync.Mutex
	byGroup map[string]*line
	waiting atomic.Int64 // lines without a slot
}

// beginLines starts what one request brought of a FIFO queue.
func (s *shift) beginLines(got []queue.Message, slots int, receiving, handling context.Context) {
	received := time.Now()
	groups := make(map[string]*line, len(got))
	var inOrder []*line
	for _, m := range got {
		l := groups[m.GroupID]
		if l == nil {
			l = &line{s: s, received: received, ended: make(chan struct{})}
			l.ctx, l.stop = context.WithCancel(receiving)
			groups[m.GroupID] = l
			inOrder = append(inOrder, l)
		}
		d := s.accept(m)
		d.line, d.over = l, make(chan struct{})
		l.rest = append(l.rest, d)
	}
	s.claims.release(max(0, slots-len(inOrder)))
	for i, l := range inOrder {
		s.active.Add(1)
		go l.run(s.lines.enter(l), i < slots, handling)
	}
}

// enter files a line and returns the one before it in the group. If there is
// one, the queue has handed out the group again: that one's leases were lost.
func (ls *lines) enter(l *line) (before *line) {
	group := l.rest[0].msg.GroupID
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.byGroup == nil {
		ls.byGroup = map[string]*line{}
	}
	if before = ls.byGroup[group]; before != nil {
		before.stop()
	}
	ls.byGroup[group] = l
	return before
}

func (ls *lines) leave(group string, l *line) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.byGroup[group] == l {
		delete(ls.byGroup, group)
	}
}

// run ends when all of the line is done, dead, or given back.
func (l *line) run(before *line, slot bool, handling context.Context) {
	s, group := l.s, l.rest[0].msg.GroupID
	defer s.active.Done()
	defer close(l.ended)
	defer s.lines.leave(group, l)
	defer l.stop()
	if before != nil { // its run may not have ended yet
		<-before.ended
	}
	slot = slot || l.firstSlot()
	for slot && len(l.rest) > 0 && l.ctx.Err() == nil {
		slot = l.first(handling)
	}
	s.giveBackLine(l.rest)
	if slot {
		s.claims.release(1)
	}
}

// firstSlot waits for a slot, though not for ever: others may have one. It waits
// for longer than a message of another queue does, as giving back counts here.
func (l *line) firstSlot() bool {
	ctx, cancel := context.WithTimeout(l.ctx, 6*patience)
	defer cancel()
	return l.s.claims.acquire(ctx)
}

// first runs the first message of the line once. It returns false if the line
// has no slot, as it was stopped while it waited.
func (l *line) first(handling context.Context) (slot bool) {
	s, d := l.s, l.rest[0]
	d.followed = len(l.rest) > 1
	go s.see(d, l.ctx, handling) // ends with the run; the line waits for its conclusion
	select {
	case <-d.over:
	case <-l.ctx.Done():
		s.giveBackLine(l.rest[1:])
		l.rest = l.rest[:1]
		<-d.over
	}
	switch {
	case d.again != nil:
		l.rest[0] = d.again
		return l.wait(d.again)
	case d.kept: // the others come after it
		s.giveBackLine(l.rest[1:])
		l.rest = nil
	default:
		l.rest = l.rest[1:]
	}
	return true
}

// wait is the pause before d is tried again, without a slot.
func (l *line) wait(d *delivery) (slot bool) {
	l.s.claims.release(1)
	l.s.lines.waiting.Add(1)
	waitFor(l.ctx.Done(), time.Until(d.due))
	l.s.lines.waiting.Add(-1)
	return l.ctx.Err() == nil && l.s.claims.acquire(l.ctx)
}

// giveBackLine gives back what has not begun. Of those at their last delivery
// copies take the place, in order, at the end of the group.
func (s *shift) giveBackLine(rest []*delivery) {
	for _, d := range rest {
		if s.lastDelivery(d) {
			s.about(d).Warn("a task is given back at its last delivery: it goes to the end of its group, as the queue would dead-letter it")
			s.setAside(d, func() Outcome { return s.giveBack(d) })
		}
	}
	for _, d := range slices.Backward(rest) {
		s.setAside(d, func() Outcome { return s.giveBack(d) })
	}
}

// hold has the task of d run again after a pause, in its line, where that
// spares deliveries: those of the messages that follow it or, if it did not fail,
// its own. It reports whether it does. A task that this version does not know, or
// whose arguments it cannot read, is left to others.
func (s *shift) hold(d *delivery, pause time.Duration, failure error) bool {
	l := d.line
	_, unknown := errors.AsType[*UnknownTaskError](failure)
	_, unread := errors.AsType[*ArgumentsError](failure)
	if l == nil || !s.mayHold || unknown || unread || l.ctx.Err() != nil ||
		time.Since(l.received)+pause > holdMax || s.lines.waiting.Load() >= int64(4*s.o.Concurrency) {
		return false
	}
	if failure != nil && !d.followed {
		return false
	}
	d.again = &delivery{msg: d.msg, event: d.event, run: d.run, line: l, over: make(chan struct{}), due: time.Now().Add(pause), inPlace: d.inPlace}
	if failure != nil {
		d.again.run.Attempt++
		d.again.inPlace++
	}
	d.again.trail = s.trailOf(d.again)
	s.leases.pass(d, d.again)
	return true
}

// lastDelivery reports whether the queue, or the next worker, would take one
// more delivery of d for one too many.
func (s *shift) lastDelivery(d *delivery) bool {
	return d.run.Attempt-d.inPlace >= s.attempts(d.run.Task)
}
