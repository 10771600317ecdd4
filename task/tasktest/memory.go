package tasktest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

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
