package task

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	watchEvery   = time.Second
	watchTimeout = 10 * time.Second
	// orderTail is how long a cancellation that took effect is still looked for,
	// as another copy of the message may come.
	orderTail = 10 * time.Minute
)

// orders are what a worker knows of those in the records. A worker begins no
// task before it has read them once; when the records do not answer any more,
// what it knew last holds.
type orders struct {
	mu        sync.Mutex
	paused    bool
	changed   chan struct{} // closed, and made anew, when paused changes
	cancelled map[string]bool
}

func newOrders() *orders { return &orders{paused: true, changed: make(chan struct{})} }

// open waits until the queue is not paused; false when ctx has ended. A nil
// *orders is of a worker without records.
func (o *orders) open(ctx context.Context) bool {
	for o != nil {
		o.mu.Lock()
		paused, changed := o.paused, o.changed
		o.mu.Unlock()
		if !paused {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// isPaused reports whether nothing is to be begun.
func (o *orders) isPaused() bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.paused
}

// pausing is closed when the queue is paused.
func (o *orders) pausing() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused {
		return closed
	}
	return o.changed
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// order is the id by which a task is cancelled; "" if it is not.
func (o *orders) order(d *delivery) string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return by(o.cancelled, d)
}

// by is the id by which orders cancel a task; "" if none does.
func by(cancelled map[string]bool, d *delivery) string {
	if len(cancelled) > 0 {
		for _, id := range d.names() {
			if id != "" && cancelled[id] {
				return id
			}
		}
	}
	return ""
}

// set takes what the records say now; turned reports whether paused changed.
func (o *orders) set(paused bool, cancelled map[string]bool) (turned bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancelled = cancelled
	if turned = paused != o.paused; turned {
		o.paused = paused
		close(o.changed)
		o.changed = make(chan struct{})
	}
	return turned
}

// watch reads the orders each second until stop is closed, and looks for dead
// members of batches beside. A listing that takes long is made less often, so
// that a slow store is not asked all the time.
func (c *crew) watch(stop <-chan struct{}) {
	var sweeping sync.WaitGroup
	defer sweeping.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, s := range c.shifts {
		if s.mayHold { // else there is a test's clock, and nobody dies
			sweeping.Go(func() { s.sweepLetters(ctx) })
		}
	}
	go func() { // ends with watch
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	failures := 0
	for first := true; ; first = false {
		begun := time.Now()
		err := c.readOrders(ctx, first)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
		} else if failures++; failures == 1 || failures%60 == 0 {
			c.o.Log.Warn("cannot read the records; what is paused and cancelled is not known anew",
				"queue", c.names(), "error", err, "failures", failures)
		}
		pause := max(watchEvery, 2*time.Since(begun))
		if waitFor(stop, pause-pause/10+rand.N(pause/5)) {
			return
		}
	}
}

// readOrders lists all orders once. One listing serves for all purposes, and all
// queues of the worker.
func (c *crew) readOrders(ctx context.Context, first bool) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	keys, cancelled := map[string]bool{}, map[string]bool{}
	var over []records.Record
	for from := ""; ; {
		found, next, err := c.o.Records.List(ctx, orderMark, from, records.MaxList)
		if err != nil {
			return err
		}
		for _, r := range found {
			if id, ok := strings.CutPrefix(r.Key, cancelPrefix); !ok {
				keys[r.Key] = true
			} else if cancelled[id] = true; orderIsOver(r) {
				over = append(over, r)
			}
		}
		if from = next; from == "" {
			break
		}
	}
	for _, s := range c.shifts {
		s.heed(keys[pausePrefix+s.q.Name()], cancelled, first)
	}
	unmark(ctx, c.o.Records, over, c.o.Log)
	for _, s := range c.shifts {
		s.tell(ctx, keys[lookPrefix+s.q.Name()])
	}
	return nil
}

// heed does what the orders say.
func (s *shift) heed(paused bool, cancelled map[string]bool, first bool) {
	if s.orders.set(paused, cancelled) && !(first && !paused) {
		s.log.Info(map[bool]string{true: "queue paused: no task is begun", false: "queue resumed"}[paused])
	}
	s.leases.cancelRuns(cancelled, s.o.Grace, func(d *delivery) {
		if s.conclude(d, errAbandoned) {
			s.about(d).Error("task ignored its cancellation and is abandoned")
		}
	})
}

// orderIsOver reports whether a cancellation took effect so long ago that no
// copy of the message is to be expected.
func orderIsOver(r records.Record) bool {
	o, err := decodeOrder(r)
	if err != nil || o.Applied == "" {
		return false
	}
	at, _ := when(o.Applied) // checked
	return time.Since(at) > orderTail
}

// unmark takes orders out of the list. Another worker may have done so.
func unmark(ctx context.Context, s *records.Store, over []records.Record, log *slog.Logger) {
	for _, r := range over {
		r.Mark = ""
		if _, err := s.Put(ctx, r); err != nil && !errors.Is(err, records.ErrConflict) {
			log.Warn("cannot take a cancellation that took effect from the list", "error", err)
			return
		}
	}
}
