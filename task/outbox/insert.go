package outbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// inserter is a queue that one can only send to: what is sent becomes rows. So
// a client checks and writes messages for an outbox exactly as for a queue.
type inserter struct {
	notAQueue
	box *Box
	tx  Tx
	mu  sync.Mutex // a client may send several batches at once; a transaction is one connection
}

// Send inserts the messages in one statement.
func (i *inserter) Send(ctx context.Context, _ string, m []driver.Outgoing) ([]driver.Sent, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	d, err := i.box.dialect(ctx, i.tx)
	if err != nil {
		return nil, err
	}
	args := make([]any, 0, len(m)*7)
	for _, o := range m {
		attributes, err := encodeAttributes(o.Attributes)
		if err != nil {
			return nil, err
		}
		args = append(args, i.box.Queue, o.Body, attributes, orNull(o.System[traceHeader].String),
			orNull(o.GroupID), orNull(o.DedupID), seconds(o.Delay))
	}
	insert := d.bind("INSERT INTO dayfly_outbox (queue, body, attributes, trace_header, message_group, dedup_id, delay_seconds) VALUES " + tuples(7, len(m)))
	if _, err := i.tx.ExecContext(ctx, insert, args...); err != nil {
		return nil, fmt.Errorf("outbox: insert into dayfly_outbox (which outbox.Create or a running relay creates): %w", err)
	}
	return make([]driver.Sent, len(m)), nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// seconds of a delay, rounded up; NULL for the queue's own.
func seconds(d time.Duration) any {
	if d < 0 {
		return nil
	}
	return int64((d + time.Second - 1) / time.Second)
}

// notAQueue is everything that a table of rows cannot do.
type notAQueue struct{}

var errTable = fmt.Errorf("an outbox only takes messages: %w", driver.ErrUnsupported)

func (notAQueue) CreateQueue(context.Context, string, driver.Attributes, map[string]string) error {
	return errTable
}
func (notAQueue) DeleteQueue(context.Context, string) error { return errTable }
func (notAQueue) ListQueues(context.Context, driver.ListOptions) (driver.ListPage, error) {
	return driver.ListPage{}, errTable
}
func (notAQueue) Describe(context.Context, string) (driver.Description, error) {
	return driver.Description{}, errTable
}
func (notAQueue) SetAttributes(context.Context, string, driver.Attributes) error { return errTable }
func (notAQueue) SetTags(context.Context, string, map[string]string) error       { return errTable }
func (notAQueue) Purge(context.Context, string) error                            { return errTable }
func (notAQueue) Receive(context.Context, string, driver.ReceiveOptions) ([]driver.Message, error) {
	return nil, errTable
}
func (notAQueue) Delete(context.Context, string, []string) ([]error, error) { return nil, errTable }
func (notAQueue) ChangeVisibility(context.Context, string, []driver.VisibilityChange) ([]error, error) {
	return nil, errTable
}
func (notAQueue) Close() error { return nil }
