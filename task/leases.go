package task

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// leases are the messages a worker holds: received, and not yet deleted, given
// back or lost.
type leases struct {
	mu      sync.Mutex
	changed sync.Cond
	held    map[*delivery]struct{}
}

// state of a delivery.
type state int

const (
	running   state = iota
	settling        // the run is over; the message still needs its lease
	returning       // its visibility is about to be changed; not to be extended
)

// delivery is one message this worker received.
type delivery struct {
	msg       queue.Message
	event     *Event // nil if the message is none
	unread    error  // why it is none
	run       Run
	pause     time.Duration // of a message given back
	done      bool          // it ran and succeeded
	kept      bool          // it stays in the queue, or is no longer ours
	abandoned bool          // its run may still be at work
	limit     string        // for which it was postponed; "": for none
	slot      slot          // that it runs in; of a FIFO queue it is its line's

	// Of a FIFO queue (see line).
	line     *line
	over     chan struct{} // closed when it is concluded or set aside
	followed bool          // by others in its line
	inPlace  int           // attempts that the queue did not count
	due      time.Time     // when it may be tried again
	again    *delivery     // takes its place in the line; nil: none

	trail *trail // what hangs on its run besides its own work; nil: nothing

	// Guarded by leases.mu.
	state     state
	lost      bool
	extending bool // a heartbeat for it is under way
	until     time.Time
	extended  time.Time
	begun     time.Time       // of the run; zero before
	ctx       context.Context // of the run; nil before
	cancel    context.CancelCauseFunc
	abandon   *time.Timer // ends the run for us, whatever it does; nil: none
}

func (l *leases) init() {
	l.changed.L = &l.mu
	l.held = map[*delivery]struct{}{}
}

// hold starts the lease of a message just received.
func (l *leases) hold(d *delivery, visibility time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.extended = time.Now()
	d.until = d.extended.Add(visibility)
	l.held[d] = struct{}{}
}

// start gives the delivery the context of its run. It reports false if the
// lease was lost meanwhile.
func (l *leases) start(d *delivery, ctx context.Context, cancel context.CancelCauseFunc, abandon *time.Timer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.lost || d.state != running {
		cancel(ErrLeaseLost)
		if abandon != nil {
			abandon.Stop()
		}
		return false
	}
	d.begun, d.ctx, d.cancel, d.abandon = time.Now(), ctx, cancel, abandon
	return true
}

// ending of a run.
type ending struct {
	cause error         // with which its context had ended, or nil
	lost  bool          // the lease was
	took  time.Duration // 0 if it did not run
}

// settle ends the run of d; first is false if something else did already.
func (l *leases) settle(d *delivery) (e ending, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.state != running {
		return e, false
	}
	d.state = settling
	e.lost = d.lost
	if d.ctx != nil {
		e.cause, e.took = context.Cause(d.ctx), time.Since(d.begun)
		d.cancel(nil)
	}
	if d.abandon != nil {
		d.abandon.Stop()
	}
	return e, true
}

// giveUp keeps heartbeats away from d and waits for one under way, which would
// undo the change of visibility that follows.
func (l *leases) giveUp(d *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.state = returning
	for d.extending {
		l.changed.Wait()
	}
}

// pass makes the lease of d, which is settled, that of next.
func (l *leases) pass(d, next *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for d.extending {
		l.changed.Wait()
	}
	next.until, next.extended = d.until, d.extended
	delete(l.held, d)
	l.held[next] = struct{}{}
}

// drop forgets d.
func (l *leases) drop(d *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, d)
}

// unsettled returns what still runs.
func (l *leases) unsettled() []*delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ds []*delivery
	for d := range l.held {
		if d.state == running {
			ds = append(ds, d)
		}
	}
	return ds
}

// due marks and returns what is to be extended now: leases not extended for
// age. Those that are over already are returned apart.
func (l *leases) due(age time.Duration) (extend, over []*delivery) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for d := range l.held {
		switch {
		case d.lost || d.state == returning || d.extending:
		case now.After(d.until):
			over = append(over, d)
		case now.Sub(d.extended) >= age:
			d.extending = true
			extend = append(extend, d)
		}
	}
	return extend, over
}

// extended records the end of a heartbeat begun at the given time; err is nil
// if it succeeded.
func (l *leases) extended(ds []*delivery, begun time.Time, visibility time.Duration, err func(int) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, d := range ds {
		d.extending = false
		if err(i) == nil {
			d.extended, d.until = begun, begun.Add(visibility)
		}
	}
	l.changed.Broadcast()
}

// lose ends the run of d, if it runs still, and reports whether it did.
func (l *leases) lose(d *delivery, grace time.Duration, abandon func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.lost || d.state != running {
		return false
	}
	d.lost = true
	if d.cancel == nil { // it has not begun, and will not
		return true
	}
	d.cancel(ErrLeaseLost)
	if d.abandon != nil {
		d.abandon.Stop()
	}
	d.abandon = time.AfterFunc(grace, abandon)
	return true
}

// heartbeat extends leases until stop is closed.
func (s *shift) heartbeat(stop <-chan struct{}) {
	t := time.NewTicker(s.o.Heartbeat)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			s.beat()
		}
	}
}

// beat extends what is older than half a heartbeat: a lease is extended when
// between a sixth and a half of the visibility timeout of it is used up, and a
// task shorter than that costs no request.
func (s *shift) beat() {
	extend, over := s.leases.due(s.o.Heartbeat / 2)
	for _, d := range over {
		s.lose(d, errors.New("no heartbeat got through in time"))
	}
	var wg sync.WaitGroup
	lanes := make(chan struct{}, 2*settleLanes)
	for len(extend) > 0 {
		n := min(batchSize, len(extend))
		batch := extend[:n]
		extend = extend[n:]
		lanes <- struct{}{}
		wg.Go(func() {
			s.extend(batch)
			<-lanes
		})
	}
	wg.Wait()
}

func (s *shift) extend(ds []*delivery) {
	changes := make([]queue.VisibilityChange, len(ds))
	for i, d := range ds {
		changes[i] = queue.VisibilityChange{Receipt: d.msg.Receipt, Visibility: s.o.Visibility}
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Heartbeat)
	defer cancel()
	errs, err := s.q.ChangeVisibility(ctx, changes...)
	failure := func(i int) error {
		if err != nil {
			return err
		}
		return errs[i]
	}
	s.leases.extended(ds, begun, s.o.Visibility, failure)
	if err != nil && !gone(err) {
		s.log.Warn("cannot extend leases", "error", err, "tasks", len(ds))
		return
	}
	for i, d := range ds {
		if e := failure(i); gone(e) {
			s.lose(d, e)
		} else if e != nil {
			s.about(d).Warn("cannot extend a lease", "error", e)
		}
	}
}

// gone reports whether the message is certainly no longer this worker's.
func gone(err error) bool {
	return errors.Is(err, queue.ErrNotInFlight) || errors.Is(err, queue.ErrReceiptInvalid) || errors.Is(err, queue.ErrQueueNotFound)
}

func (s *shift) lose(d *delivery, why error) {
	lost := s.leases.lose(d, s.o.Grace, func() {
		if s.conclude(d, errAbandoned) {
			s.about(d).Error("task ignored the end of its context and is abandoned")
		}
	})
	if lost {
		s.about(d).Warn("lease lost: another worker may run the task", "error", why)
	}
}
