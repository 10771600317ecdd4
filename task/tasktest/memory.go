package tasktest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// memory is a queue driver as far as clients and workers need one, with a clock
// that a test turns on. It hands out messages only while it is served (serve),
// one at a time, oldest first; its order and its counts are those of the
// embedded engine.
type memory struct {
	notInTests
	sent func() // called after each Send, without mu; nil: nothing

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, by every change
	turned  time.Duration // by which the clock is ahead of the real one
	queues  map[string]*memoryQueue
	log     []*message // everything ever sent by clients, in order
	count   int
	turn    *turn
}

type memoryQueue struct {
	attributes driver.Attributes
	created    time.Time
	messages   []*message // in the order of sending
	known      map[string]duplicate
}

type message struct {
	driver.Message
	delay    time.Duration // with which it was sent
	visible  time.Time     // from when on it may be received
	inFlight bool
	turned   time.Duration // of the clock when it was sent
}

type duplicate struct {
	at   time.Time
	sent driver.Sent
}

// turn is a time in which a worker is served.
type turn struct {
	drain bool
	idle  func()        // called when there is nothing more for the worker
	over  chan struct{} // closed then
	once  sync.Once
}

func newMemory() *memory {
	return &memory{changed: make(chan struct{}), queues: map[string]*memoryQueue{}}
}

func (m *memory) now() time.Time { return time.Now().Add(m.turned) }

// change wakes who waits; mu is held.
func (m *memory) change() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turned += d
	m.change()
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

func (m *memory) CreateQueue(_ context.Context, name string, a driver.Attributes, _ map[string]string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queues[name] = &memoryQueue{attributes: a, created: m.now(), known: map[string]duplicate{}}
	return nil
}

func (m *memory) Describe(_ context.Context, name string) (driver.Description, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[name]
	if q == nil {
		return driver.Description{}, fmt.Errorf("describe %s: %w", name, driver.ErrQueueNotFound)
	}
	d := driver.Description{Name: name, Attributes: q.attributes, Created: q.created, Modified: q.created}
	for _, x := range q.messages {
		switch {
		case x.inFlight:
			d.InFlight++
		case x.visible.After(m.now()):
			d.Delayed++
		default:
			d.Visible++
		}
	}
	return d, nil
}

func (m *memory) Send(_ context.Context, name string, out []driver.Outgoing) ([]driver.Sent, error) {
	sent, err := m.store(name, out)
	if err == nil && m.sent != nil {
		m.sent()
	}
	return sent, err
}

func (m *memory) store(name string, out []driver.Outgoing) (sent []driver.Sent, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[name]
	if q == nil {
		return nil, fmt.Errorf("send to %s: %w", name, driver.ErrQueueNotFound)
	}
	for _, o := range out {
		if q.attributes.FIFO && o.DedupID == "" {
			return nil, driver.ErrNoDedupID
		}
		sent = append(sent, m.add(q, o))
	}
	m.change()
	return sent, nil
}

// add stores one message, unless it is a duplicate of one of the last five
// minutes; mu is held.
func (m *memory) add(q *memoryQueue, o driver.Outgoing) driver.Sent {
	now := m.now()
	if known, ok := q.known[o.DedupID]; ok && q.attributes.FIFO && now.Sub(known.at) < 5*time.Minute {
		return known.sent
	}
	m.count++
	x := &message{delay: max(0, o.Delay), turned: m.turned, Message: driver.Message{ID: uuid.NewString(), Body: o.Body,
		Attributes: maps.Clone(o.Attributes), System: maps.Clone(o.System), Sent: now, GroupID: o.GroupID, DedupID: o.DedupID}}
	x.visible = now.Add(x.delay)
	sent := driver.Sent{ID: x.ID}
	if q.attributes.FIFO {
		x.Sequence = fmt.Sprintf("%020d", m.count)
		sent.Sequence = x.Sequence
		q.known[o.DedupID] = duplicate{now, sent}
	}
	q.messages = append(q.messages, x)
	m.log = append(m.log, x)
	return sent
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

// next is the oldest message that may be received now; if there is none, when
// the first will be, and whether one is in flight. On a FIFO queue none is
// received while one before it in its group is there.
func (q *memoryQueue) next(now time.Time) (x *message, at time.Time, busy bool) {
	behind := map[string]bool{}
	for _, y := range q.messages {
		first := !q.attributes.FIFO || !behind[y.GroupID]
		behind[y.GroupID] = true
		switch {
		case y.inFlight:
			busy = true
		case !first:
		case !y.visible.After(now):
			return y, time.Time{}, busy
		case at.IsZero() || y.visible.Before(at):
			at = y.visible
		}
	}
	return nil, at, busy
}

// turnedBack is the body with its notbefore d earlier: the task layer reads it
// by the real clock, which the queue's has left behind by d since.
func turnedBack(body string, d time.Duration) string {
	var event map[string]json.RawMessage
	var before time.Time
	if d == 0 || json.Unmarshal([]byte(body), &event) != nil || event["notbefore"] == nil ||
		json.Unmarshal(event["notbefore"], &before) != nil {
		return body
	}
	event["notbefore"], _ = json.Marshal(before.Add(-d)) // a time of the years JSON has, as it came from there
	text, _ := json.Marshal(event)                       // of what was JSON
	return string(text)
}

func (m *memory) Delete(_ context.Context, name string, receipts []string) ([]error, error) {
	return m.settle(name, receipts, func(q *memoryQueue, x *message) {
		q.messages = slices.DeleteFunc(q.messages, func(y *message) bool { return y == x })
	}, nil)
}

// ChangeVisibility is only ever called to give back: heartbeats are hours apart.
func (m *memory) ChangeVisibility(_ context.Context, name string, c []driver.VisibilityChange) ([]error, error) {
	receipts := make([]string, len(c))
	for i := range c {
		receipts[i] = c[i].Receipt
	}
	i := -1
	return m.settle(name, receipts, func(_ *memoryQueue, x *message) {
		i = slices.Index(receipts, x.Receipt)
		x.inFlight, x.visible = false, m.now().Add(c[i].Visibility)
	}, driver.ErrNotInFlight)
}

// settle does something with the messages of receipts; one that is not in
// flight gets the error.
func (m *memory) settle(name string, receipts []string, do func(*memoryQueue, *message), absent error) ([]error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.queues[name]
	if q == nil {
		return nil, driver.ErrQueueNotFound
	}
	errs := make([]error, len(receipts))
	for i, receipt := range receipts {
		at := slices.IndexFunc(q.messages, func(x *message) bool { return x.inFlight && x.Receipt == receipt })
		if at < 0 {
			errs[i] = absent
			continue
		}
		do(q, q.messages[at])
	}
	m.change()
	return errs, nil
}

// notInTests is what neither clients nor workers do.
type notInTests struct{}

func (notInTests) DeleteQueue(context.Context, string) error { return driver.ErrUnsupported }
func (notInTests) ListQueues(context.Context, driver.ListOptions) (driver.ListPage, error) {
	return driver.ListPage{}, driver.ErrUnsupported
}
func (notInTests) SetAttributes(context.Context, string, driver.Attributes) error {
	return driver.ErrUnsupported
}
func (notInTests) SetTags(context.Context, string, map[string]string) error {
	return driver.ErrUnsupported
}
func (notInTests) Purge(context.Context, string) error { return driver.ErrUnsupported }
func (notInTests) Close() error                        { return nil }
