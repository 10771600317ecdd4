package task

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task/payload"
	"github.com/dayfly-dev/dayfly/task/unique"
)

const (
	maxDelay  = 15 * time.Minute // of one message, SQS's
	batchSize = 10               // messages of one call, SQS's; see queue.Service.BatchSize
	sendLanes = 8                // calls of one EnqueueMany under way at once; one on FIFO
)

// Client puts tasks into one queue. It may be used by any number of goroutines.
type Client struct {
	q      *queue.Queue
	o      ClientOptions
	gather *gatherer // nil: each Enqueue is a request of its own
}

// ClientOptions of a client; nil means the defaults.
type ClientOptions struct {
	// Source is the CloudEvents source of what is enqueued, a URI reference
	// that says which program did; default "dayfly".
	Source string
	// Traceparent returns the W3C trace context of a context, to travel with
	// the task; default none. Package taskotel does it for OpenTelemetry.
	Traceparent func(context.Context) string
	// Middleware is around each call of Enqueue, EnqueueMany and EnqueueNamed,
	// the first outermost. Default none.
	Middleware []func(Enqueuer) Enqueuer
	// Payloads stores the arguments of calls whose message would be larger
	// than Threshold; the message then refers to them, and workers need the
	// same WorkerOptions.Payloads. Default nil: such calls are sent as they
	// are, and those larger than MaxMessage are errors.
	Payloads *payload.Store
	// Threshold in bytes of message, 1 to MaxMessage; default 240 KiB.
	Threshold int
	// Records are those that all machines share, which Unique needs. Default
	// nil: Unique is an error.
	Records *records.Store
	// Apart has each Enqueue be a request of its own. By default calls that
	// many goroutines make at once share requests to a queue in another
	// process, each with its own error; a call that is alone, or one of two,
	// waits for nobody.
	Apart bool
}

// NewClient returns a client that enqueues into q.
func NewClient(q *queue.Queue, o *ClientOptions) *Client {
	c := &Client{q: q}
	if o != nil {
		c.o = *o
	}
	if c.o.Source == "" {
		c.o.Source = "dayfly"
	}
	if !c.o.Apart && q.Service().Remote() {
		c.gather = newGatherer(q)
	}
	return c
}

// EnqueueOption of one Enqueue.
type EnqueueOption func(*enqueue) error

type enqueue struct {
	id    string
	at    time.Time
	delay time.Duration
	group string

	unique uniqueness
}

// Delay has the task run d from now at the earliest. Up to 15 minutes the
// queue itself holds it back. A longer delay travels in the message: workers
// put the message back until its time has come, every 15 minutes once, which
// takes a worker to be running and, where messages are paid for, three
// requests each time. A queue's default delay does not apply then.
func Delay(d time.Duration) EnqueueOption {
	return func(e *enqueue) error {
		if d < 0 {
			return fmt.Errorf("delay %v is negative", d)
		}
		e.delay, e.at = d, time.Time{}
		return nil
	}
}

// At has the task run at t at the earliest, at once if that is past; as Delay
// does it.
func At(t time.Time) EnqueueOption {
	return func(e *enqueue) error {
		e.at, e.delay = t, 0
		return nil
	}
}

// ID gives the task an id of the caller's, 1–256 bytes; default a random one.
// The id is what tells duplicates: it does not prevent them, except on a FIFO
// queue, which drops a second message of the same id within 5 minutes.
func ID(id string) EnqueueOption {
	return func(e *enqueue) error {
		if id == "" {
			return fmt.Errorf("id is empty")
		}
		e.id = id
		return nil
	}
}

// Group is the message group of the task: tasks of one group run in order on
// a FIFO queue (where it is by default the task's name), and share fairly
// with other groups on a standard queue. At most 128 printable ASCII
// characters without space.
func Group(g string) EnqueueOption {
	return func(e *enqueue) error {
		e.group = g
		return nil
	}
}

// Enqueue stores a call of the task with args and returns its id. When the
// error is nil the call is on disk in the queue. When the context ended or the
// connection broke it may or may not be: enqueue again with the same ID.
func (t *Task[A]) Enqueue(ctx context.Context, c *Client, args A, o ...EnqueueOption) (id string, err error) {
	if t.err != nil {
		return "", t.err
	}
	data, err := json.Marshal(args)
	if err != nil {
		return "", fmt.Errorf("task %s: arguments: %w", t.name, err)
	}
	return EnqueueNamed(ctx, c, t.name, data, o...)
}

// EnqueueMany stores a call for each of args, ten to a request (100 to dayfly's
// own queue) and several requests at once, and returns their ids in order. On an error ids[i] is ""
// for what is not known to be stored. Options apply to every call; ID is an
// error here.
func (t *Task[A]) EnqueueMany(ctx context.Context, c *Client, args []A, o ...EnqueueOption) (ids []string, err error) {
	if t.err != nil {
		return nil, t.err
	}
	ids = make([]string, len(args))
	drafts := make([]draft, len(args))
	for i := range args {
		data, err := json.Marshal(args[i])
		if err != nil {
			return ids, fmt.Errorf("task %s: arguments %d: %w", t.name, i, err)
		}
		if drafts[i], err = c.draft(ctx, t.name, data, o); err != nil {
			return ids, err
		}
		if i == 1 && drafts[0].event.ID == drafts[1].event.ID {
			return ids, fmt.Errorf("task %s: one ID for several calls", t.name)
		}
	}
	return ids, c.many(ctx, drafts, ids)
}

// EnqueueNamed stores a call of a task known only by name, with its arguments
// as JSON (nil for none), as Enqueue does.
func EnqueueNamed(ctx context.Context, c *Client, name string, args json.RawMessage, o ...EnqueueOption) (id string, err error) {
	d, err := c.draft(ctx, name, args, o)
	if err != nil {
		return "", err
	}
	if stored, err := c.claim(ctx, &d); err != nil || stored {
		return d.there(err)
	}
	stored := false
	err = c.enqueue(ctx, []*Event{&d.event}, func(ctx context.Context) error {
		m, err := c.seal(d)
		if err != nil {
			return err
		}
		if err := d.hold(ctx); err != nil {
			return fmt.Errorf("task %s: enqueue into %s: %w", name, c.q.Name(), err)
		}
		if err := c.send(ctx, m); err != nil {
			return fmt.Errorf("task %s: enqueue into %s: %w", name, c.q.Name(), err)
		}
		stored = true
		return nil
	})
	d.settle(ctx, stored)
	if err != nil {
		return "", err
	}
	return d.event.ID, nil
}

// draft is a call before its middleware: all of its message but the body.
type draft struct {
	event Event
	out   queue.Outgoing
	due   time.Time

	unique *unique.Call  // nil: it need not be
	claim  *unique.Claim // nil: none was needed
}

// draft makes the message of one call.
func (c *Client) draft(ctx context.Context, name string, args json.RawMessage, options []EnqueueOption) (draft, error) {
	var e enqueue
	if err := CheckName(name); err != nil {
		return draft{}, err
	}
	for _, o := range options {
		if err := o(&e); err != nil {
			return draft{}, fmt.Errorf("task %s: %w", name, err)
		}
	}
	if e.id == "" {
		e.id = uuid.NewString()
	}
	now := time.Now()
	if !e.at.IsZero() {
		e.delay = max(0, e.at.Sub(now))
	}
	event := Event{ID: e.id, Source: c.o.Source, Type: name, Time: now, Data: args}
	if c.o.Traceparent != nil {
		event.Traceparent, _ = plainTrace(c.o.Traceparent(ctx), "")
	}
	out := queue.Outgoing{Delay: -1, GroupID: e.group}
	if e.delay > 0 {
		out.Delay = min(wholeSeconds(e.delay), maxDelay)
	}
	if e.delay > maxDelay {
		event.NotBefore = now.Add(e.delay)
	}
	if err := forFIFO(c.q.Name(), &out, &event, e.delay > 0); err != nil {
		return draft{}, err
	}
	d := draft{event: event, out: out, due: now.Add(e.delay)}
	return d, c.only(&d, e.unique, e.delay)
}

// forFIFO fills in what a FIFO queue needs of a message.
func forFIFO(name string, out *queue.Outgoing, event *Event, delayed bool) error {
	if !isFIFO(name) {
		return nil
	}
	if delayed {
		return fmt.Errorf("task %s: a FIFO queue (%s) delays no single message", event.Type, name)
	}
	if out.GroupID == "" {
		out.GroupID = event.Type
	}
	out.DedupID = dedupID(event.ID)
	return nil
}

func isFIFO(name string) bool { return strings.HasSuffix(name, ".fifo") }

// dedupID is the id if SQS takes it for one, else a name made of it.
func dedupID(id string) string {
	if len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return id
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(id)).String()
}

// sendAll sends messages in batches, some at once, and clears the ids of those
// not acknowledged. It returns the first error.
func (c *Client) sendAll(ctx context.Context, out []call, ids []string) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
		lanes = make(chan struct{}, sendLanes)
	)
	if isFIFO(c.q.Name()) {
		lanes = make(chan struct{}, 1) // in order
	}
	for len(out) > 0 {
		n := batch(out, c.q.Service().BatchSize())
		some, theirs := out[:n], ids[:n]
		out, ids = out[n:], ids[n:]
		lanes <- struct{}{}
		wg.Go(func() {
			defer func() { <-lanes }()
			mu.Lock()
			stop := first != nil
			mu.Unlock()
			var err error
			if !stop {
				err = c.send(ctx, some...)
			}
			if stop || err != nil {
				mu.Lock()
				defer mu.Unlock()
				clear(theirs)
				if first == nil {
					first = fmt.Errorf("task: enqueue into %s: %w", c.q.Name(), err)
				}
			}
		})
	}
	wg.Wait()
	return first
}

// batch returns how many of the messages go into one call: at most so many, at
// most 1 MiB of them together.
func batch(out []call, most int) int {
	size, n := 0, 0
	for n < min(len(out), most) {
		size += queue.Size(out[n].Outgoing)
		if n > 0 && size > MaxMessage {
			break
		}
		n++
	}
	return n
}

// wholeSeconds rounds up, as SQS counts in seconds.
func wholeSeconds(d time.Duration) time.Duration {
	if r := d % time.Second; r > 0 && d < math.MaxInt64-time.Second { // what is further away than durations reach is that one
		return d - r + time.Second
	}
	return d
}
