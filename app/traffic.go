package app

import (
	"context"
	"maps"
	"sync"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

// counted is the embedded engine, and how many messages went through it since
// dayfly's start.
type counted struct {
	*diskqueue.Engine

	mu     sync.Mutex
	queues map[string]traffic // no more than there are queues
}

// traffic of one queue, in messages.
type traffic struct{ sent, received, deleted int }

func (c *counted) add(name string, t traffic) {
	if t == (traffic{}) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queues == nil {
		c.queues = map[string]traffic{}
	}
	x := c.queues[name]
	c.queues[name] = traffic{x.sent + t.sent, x.received + t.received, x.deleted + t.deleted}
}

// all returns a copy; nil where there is no embedded engine.
func (c *counted) all() map[string]traffic {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.queues)
}

func (c *counted) Send(ctx context.Context, name string, m []queue.Outgoing) ([]queue.Sent, error) {
	sent, err := c.Engine.Send(ctx, name, m)
	c.add(name, traffic{sent: len(sent)})
	return sent, err
}

func (c *counted) Receive(ctx context.Context, name string, o queue.ReceiveOptions) ([]queue.Message, error) {
	m, err := c.Engine.Receive(ctx, name, o)
	c.add(name, traffic{received: len(m)})
	return m, err
}

func (c *counted) Delete(ctx context.Context, name string, receipts []string) ([]error, error) {
	errs, err := c.Engine.Delete(ctx, name, receipts)
	n := 0
	for _, e := range errs {
		if e == nil {
			n++
		}
	}
	c.add(name, traffic{deleted: n})
	return errs, err
}

func (c *counted) DeleteQueue(ctx context.Context, name string) error {
	err := c.Engine.DeleteQueue(ctx, name)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.queues, name)
	}
	return err
}
