package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
)

// groups of a FIFO queue that is measured: so many messages may be in flight.
const groups = 20_000

// engine is Dayfly's queue, as a Go program embeds it.
type engine struct {
	s    *queue.Service
	next atomic.Int64 // numbers what goes into FIFO queues
}

func openEngine(dir string) (broker, error) {
	e, err := diskqueue.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	b := &engine{s: queue.New(e)}
	// A deduplication id must not come twice, not even after a restart.
	b.next.Store(time.Now().UnixNano() / groups * groups)
	return b, nil
}

func (b *engine) create(q string) error {
	a := queue.Attributes{Visibility: time.Hour, FIFO: strings.HasSuffix(q, ".fifo")}
	return b.s.CreateQueue(context.Background(), q, a, nil)
}

func (b *engine) drop(q string) error { return b.s.DeleteQueue(context.Background(), q) }

func (b *engine) send(q string, n int) error {
	out := make([]queue.Outgoing, n)
	fifo := strings.HasSuffix(q, ".fifo")
	for i := range out {
		out[i] = queue.Outgoing{Body: body, Delay: -1}
		if fifo {
			k := b.next.Add(1)
			out[i].GroupID, out[i].DedupID = fmt.Sprintf("group-%d", k%groups), fmt.Sprintf("message-%d", k)
		}
	}
	_, err := b.s.Send(context.Background(), q, out)
	return err
}

func (b *engine) pipeline(string, int, func() bool) (int, error) { return 0, errNotOffered }

func (b *engine) receive(q string, max int) ([]any, error) {
	got, err := b.s.Receive(context.Background(), q, queue.ReceiveOptions{Max: min(max, 10), Visibility: -1})
	handles := make([]any, len(got))
	for i := range got {
		handles[i] = got[i].Receipt
	}
	return handles, err
}

func (b *engine) acknowledge(q string, received []any) error {
	receipts := make([]string, len(received))
	for i := range received {
		receipts[i] = received[i].(string)
	}
	failed, err := b.s.Delete(context.Background(), q, receipts)
	return errors.Join(append(failed, err)...)
}

func (b *engine) close() error { return b.s.Close() }
