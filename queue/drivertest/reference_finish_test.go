package drivertest

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// find looks a receipt up. A message that is gone is nil, and no error.
func (r *reference) find(q *refQueue, receipt string) (*refMessage, error) {
	part := strings.Split(receipt, "-")
	if len(part) != 4 || part[0] != "r" {
		return nil, driver.ErrReceiptInvalid
	}
	for _, m := range q.messages {
		if m.ID == part[1] {
			return m, nil
		}
	}
	return nil, nil
}

func (r *reference) Delete(_ context.Context, name string, receipts []string) ([]error, error) {
	errs := make([]error, len(receipts))
	err := r.on(name, func(q *refQueue) error {
		for i, receipt := range receipts {
			m, err := r.find(q, receipt)
			errs[i] = err
			if m != nil {
				errs[i] = r.delete(q, m, receipt)
			}
		}
		return nil
	})
	return errs, err
}

func (r *reference) delete(q *refQueue, m *refMessage, receipt string) error {
	last := m.Receipt == receipt
	if q.attrs.FIFO && !(last && m.hidden()) {
		switch {
		case last && r.wrong == "a receipt deletes after its visibility":
		case !last && r.wrong == "an older receipt is taken for good":
			return nil
		default:
			return driver.ErrReceiptExpired
		}
	}
	if last {
		q.messages = slices.DeleteFunc(q.messages, func(o *refMessage) bool { return o == m })
		if r.wrong == "what is deleted is not known for deduplication" {
			for key, k := range q.known {
				if k.sent.ID == m.ID {
					delete(q.known, key)
				}
			}
		}
		if r.wrong != "a delete wakes nobody" {
			r.change()
		}
	}
	return nil
}

func (r *reference) ChangeVisibility(_ context.Context, name string, c []driver.VisibilityChange) ([]error, error) {
	errs := make([]error, len(c))
	err := r.on(name, func(q *refQueue) error {
		for i := range c {
			m, err := r.find(q, c[i].Receipt)
			switch {
			case err != nil:
				errs[i] = err
			case m == nil || q.attrs.FIFO && (m.Receipt != c[i].Receipt || !m.hidden()):
				errs[i] = driver.ErrNotInFlight
			default:
				r.hide(q, m, c[i].Visibility)
			}
		}
		return nil
	})
	return errs, err
}

func (r *reference) hide(q *refQueue, m *refMessage, d time.Duration) {
	m.visibleAt = time.Now().Add(d)
	for _, a := range q.attempts {
		if slices.Contains(a.messages, m) && r.wrong != "a visibility change does not end an attempt" {
			a.at = time.Time{}
		}
	}
	if d == 0 && r.wrong == "given back goes to the end" {
		q.messages = append(slices.DeleteFunc(q.messages, func(o *refMessage) bool { return o == m }), m)
	}
	if d > 0 || r.wrong != "a change to zero wakes nobody" {
		r.change()
	}
}

// refMove is a move task.
type refMove struct {
	driver.MoveTask
	first string // where the first message went
}

func (r *reference) StartMove(_ context.Context, m driver.Move) (handle string, err error) {
	err = r.on(m.Source, func(q *refQueue) error {
		if m.Destination != "" && r.queues[m.Destination] == nil {
			return driver.ErrQueueNotFound
		}
		running := 0
		for _, o := range r.moves {
			if o.Status == driver.MoveRunning {
				running++
				if o.Source == m.Source && r.wrong != "a queue has many moves" {
					return driver.ErrMoveActive
				}
			}
		}
		if running >= 100 && r.wrong != "a service has many moves" {
			return driver.ErrMoveActive
		}
		mv := &refMove{}
		mv.Move, mv.Handle, mv.Status, mv.Started = m, rand.Text(), driver.MoveRunning, time.Now()
		for _, msg := range q.messages {
			if !msg.hidden() {
				mv.ToMove++
			}
		}
		r.moves = append(r.moves, mv)
		handle = mv.Handle
		r.work.Go(func() { r.move(mv) })
		return nil
	})
	return handle, err
}

// move moves one message after the other.
func (r *reference) move(mv *refMove) {
	pause := time.Duration(0)
	if mv.Rate > 0 && r.wrong != "a move has no rate" {
		pause = time.Second / time.Duration(mv.Rate)
	}
	for r.moveOne(mv) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-r.ending:
			timer.Stop()
			return
		}
	}
}

// moveOne moves the next message and reports whether to go on.
func (r *reference) moveOne(mv *refMove) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if mv.Status != driver.MoveRunning || r.closed {
		return false
	}
	q := r.queues[mv.Source]
	if q == nil {
		mv.Status, mv.Failure = driver.MoveFailed, "source is gone"
		return false
	}
	m := r.standard(q, nil)
	if q.attrs.FIFO && r.wrong != "a move minds no groups" {
		m = r.fifo(q, nil)
	}
	if r.wrong == "a move takes what is in flight" && len(q.messages) > 0 {
		m = q.messages[0]
	}
	if m == nil {
		mv.Status = driver.MoveCompleted
		return false
	}
	to := mv.Destination
	if to == "" {
		to = m.Source
	}
	if to == "" && r.wrong == "a move drops what has no source" {
		to = "nowhere"
		r.queues[to] = &refQueue{}
	}
	if mv.first == "" {
		mv.first = to
	}
	if r.wrong == "a move goes to one source only" {
		to = mv.first
	}
	if r.queues[to] == nil {
		mv.Status, mv.Failure = driver.MoveFailed, "destination is gone"
		if r.wrong == "a failing move loses a message" {
			q.messages = slices.DeleteFunc(q.messages, func(o *refMessage) bool { return o == m })
		}
		return false
	}
	r.moveTo(q, r.queues[to], m)
	mv.Moved++
	return true
}

func (r *reference) moveTo(q, to *refQueue, m *refMessage) {
	q.messages = slices.DeleteFunc(q.messages, func(o *refMessage) bool { return o == m })
	c := m.Message
	c.Receipt, c.Source, c.Receives, c.FirstReceived = "", "", 0, time.Time{}
	if r.wrong != "a move keeps ids" {
		c.ID = rand.Text()
	}
	if r.wrong == "a move keeps counts" {
		c.Receives = m.Receives
	}
	if r.wrong != "a move keeps times" {
		c.Sent = time.Now()
	}
	if r.wrong == "a move keeps the source" {
		c.Source = m.Source
	}
	r.add(to, c, to.attrs.Delay)
	if r.wrong != "a move wakes nobody" {
		r.change()
	}
}

func (r *reference) CancelMove(_ context.Context, handle string) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, mv := range r.moves {
		if mv.Handle == handle && (mv.Status == driver.MoveRunning || r.wrong == "what is over can be cancelled") {
			if r.wrong != "a cancelled move goes on" {
				mv.Status = driver.MoveCancelled
			}
			return mv.Moved, nil
		}
	}
	return 0, driver.ErrMoveNotFound
}

func (r *reference) ListMoves(_ context.Context, source string, max int) (list []driver.MoveTask, err error) {
	err = r.on(source, func(*refQueue) error {
		for _, mv := range slices.Backward(r.moves) {
			if mv.Source == source && len(list) < max {
				t := mv.MoveTask
				if t.Status != driver.MoveRunning && r.wrong != "moves that are over have handles" {
					t.Handle = ""
				}
				list = append(list, t)
			}
		}
		if r.wrong == "moves are listed oldest first" {
			slices.Reverse(list)
		}
		return nil
	})
	return list, err
}
