package tasktest

import (
	"context"
	"strconv"
	"sync"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// turn is a time in which a worker is served.
type turn struct {
	drain bool
	idle  func()        // called when there is nothing more for the worker
	over  chan struct{} // closed then
	once  sync.Once
}

// serve has messages handed out while work runs; stop is called once there is
// nothing more to hand out, and then work should return.
func (m *memory) serve(drain bool, stop func(), work func() error) error {
	t := &turn{drain: drain, idle: stop, over: make(chan struct{})}
	m.mu.Lock()
	m.turn = t
	m.mu.Unlock()
	err := work()
	m.mu.Lock()
	m.turn = nil
	m.mu.Unlock()
	return err
}

func (t *turn) end() {
	t.once.Do(func() {
		t.idle()
		close(t.over)
	})
}

// Receive hands out the next message. With none that is due, and none in flight
// that may come back, it turns the clock on to the next one (Drain) or ends the
// turn.
func (m *memory) Receive(ctx context.Context, name string, _ driver.ReceiveOptions) ([]driver.Message, error) {
	for {
		m.mu.Lock()
		got, changed, t := m.take(name), m.changed, m.turn
		m.mu.Unlock()
		if got != nil {
			return []driver.Message{*got}, nil
		}
		var over chan struct{}
		if t != nil {
			over = t.over
		}
		select {
		case <-over:
			return nil, nil
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take picks the next message, if any; mu is held.
func (m *memory) take(name string) *driver.Message {
	q := m.queues[name]
	if q == nil || m.turn == nil {
		return nil
	}
	x, next, busy := q.next(m.now())
	if x == nil && !busy && m.turn.drain && !next.IsZero() {
		m.turned += next.Sub(m.now())
		x, _, _ = q.next(next)
	}
	if x == nil {
		if !busy {
			m.turn.end()
		}
		return nil
	}
	x.Receives++
	if x.FirstReceived.IsZero() {
		x.FirstReceived = m.now()
	}
	x.Receipt, x.inFlight = x.ID+" "+strconv.Itoa(x.Receives), true
	c := x.Message
	c.Body = turnedBack(c.Body, m.turned-x.turned)
	return &c
}
