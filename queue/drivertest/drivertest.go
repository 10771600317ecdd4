// Package drivertest is the conformance suite of package queue/driver: what it
// checks is what a queue promises, on the embedded engine, through a server and
// a client, and on any SQS endpoint.
//
// A driver's test calls Run with a Harness. Tests wait a few seconds of the
// clock each and run beside each other; with Harness.Virtual they run in the
// virtual time of testing/synctest instead, where lateness counts in
// milliseconds, and those that need minutes or days run too.
package drivertest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Harness is how the suite reaches a driver, and what it may expect of it.
type Harness struct {
	// New returns a store for one test. It need not be empty: queues are named
	// at random. The suite closes Store.Service.
	New func(t *testing.T) *Store
	// Virtual runs each test in a synctest bubble: the driver must do without
	// network and without goroutines that outlive Close.
	Virtual bool
	// Remote says that receives may come back empty though a message is there,
	// that counts and order are approximate and that attributes take a while,
	// as on the real service.
	Remote bool
	// AtOnce bounds how many tests run beside each other on the clock, whatever
	// -parallel says: nearly all they do is wait. Default 16.
	AtOnce int
	// Skip names tests ("Purge/TwiceIn60Seconds") or topics ("Move") that a foreign
	// service is known to fail, each with the reason.
	Skip map[string]string
}

// Store is one store. Reopen and Crash are nil where there is no such thing.
type Store struct {
	Service driver.Service
	// Reopen closes the service and opens it again.
	Reopen func() (driver.Service, error)
	// Crash opens the service again as after a loss of power: what was not
	// synced may be gone. The old service is dead.
	Crash func() (driver.Service, error)
}

// topics of the suite and their tests.
var topics = []struct {
	name  string
	tests map[string]func(*env)
}{
	{"Queues", queueTests},
	{"Send", sendTests},
	{"Receive", receiveTests},
	{"LongPoll", longPollTests},
	{"Visibility", visibilityTests},
	{"Delete", deleteTests},
	{"DeadLetter", deadLetterTests},
	{"Purge", purgeTests},
	{"Retention", retentionTests},
	{"Limits", limitTests},
	{"Browse", browseTests},
	{"Replace", replaceTests},
	{"Durable", durableTests},
	{"Concurrent", concurrentTests},
	{"FIFO", fifoTests},
	{"FIFOReceipt", fifoReceiptTests},
	{"FIFODelay", fifoDelayTests},
	{"FIFOAttempt", fifoAttemptTests},
	{"FIFODedup", fifoDedupTests},
	{"FIFOState", fifoStateTests},
	{"FIFODeadLetter", fifoDeadLetterTests},
	{"FIFODurable", fifoDurableTests},
	{"Fair", fairTests},
	{"Move", moveTests},
	{"MoveTask", moveTaskTests},
	{"MoveDurable", moveDurableTests},
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, cmp.Or(h.AtOnce, 16))
	for _, topic := range topics {
		for name, test := range topic.tests {
			name, why := topic.name+"/"+name, cmp.Or(h.Skip[topic.name+"/"+name], h.Skip[topic.name])
			run := func(t *testing.T) { test(newEnv(t, &h)) }
			switch {
			case why != "":
				t.Run(name, func(t *testing.T) { t.Skip(why) })
			case h.Virtual:
				t.Run(name, func(t *testing.T) { synctest.Test(t, run) })
			default:
				all.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					t.Run(name, run)
				})
			}
		}
	}
}

// env is what a test has: a store and ways to use it that fail the test.
type env struct {
	*testing.T
	h     *Harness
	store *Store
	s     *queue.Service
	ctx   context.Context
	made  []string
}

func newEnv(t *testing.T, h *Harness) *env {
	e := &env{T: t, h: h, store: h.New(t), ctx: context.Background()}
	e.s = queue.New(e.store.Service)
	t.Cleanup(func() {
		for _, name := range e.made {
			e.s.DeleteQueue(e.ctx, name) //nolint:errcheck // the test may have deleted it
		}
		e.s.Close()
	})
	return e
}

// needVirtual skips tests that take minutes on the clock.
func (e *env) needVirtual() {
	e.Helper()
	if !e.h.Virtual {
		e.Skip("takes too long except in virtual time")
	}
}

// much is how many messages a test of many sends. Of a foreign service it asks
// for less: that it has room for many is not what the suite is about.
func (e *env) much(ours, foreign int) int {
	if e.h.Remote {
		return foreign
	}
	return ours
}

// name returns a queue name nobody has.
func (e *env) name(stem string) string { return stem + "-" + strings.ToLower(rand.Text()[:10]) }

// queue makes a queue with the defaults changed by the functions.
func (e *env) queue(change ...func(*queue.Attributes)) *queue.Queue {
	e.Helper()
	a := e.attributes(change...)
	name := e.name("q")
	if err := e.s.CreateQueue(e.ctx, name, a, nil); err != nil {
		e.Fatal(err)
	}
	e.made = append(e.made, name)
	return e.s.Queue(name)
}

// attributes are the defaults with changes. On the clock a message that is
// received stays hidden for longer than a test takes, also on a busy machine.
func (e *env) attributes(change ...func(*queue.Attributes)) queue.Attributes {
	a := queue.Attributes{Visibility: 30 * time.Second, Retention: time.Hour, MaxMessageSize: 1 << 20}
	if !e.h.Virtual {
		a.Visibility = 10 * time.Minute
	}
	for _, c := range change {
		c(&a)
	}
	return a
}

func text(body string) queue.Outgoing { return queue.Outgoing{Body: body, Delay: -1} }

// send sends messages with these bodies, one call each, and returns their ids.
func (e *env) send(q *queue.Queue, bodies ...string) (ids []string) {
	e.Helper()
	for _, body := range bodies {
		sent, err := q.Send(e.ctx, text(body))
		if err != nil {
			e.Fatal(err)
		}
		ids = append(ids, sent[0].ID)
	}
	return ids
}

// defaultReceive takes one message and does not wait.
var defaultReceive = queue.ReceiveOptions{Max: 1, Visibility: -1, Wait: 0}

// take receives one message, which must be there.
func (e *env) take(q *queue.Queue) queue.Message {
	e.Helper()
	o := defaultReceive
	if e.h.Remote {
		o.Wait = 2 * time.Second
	}
	return e.takeWith(q, o)
}

func (e *env) takeWith(q *queue.Queue, o queue.ReceiveOptions) queue.Message {
	e.Helper()
	m, err := q.Receive(e.ctx, o)
	if err != nil {
		e.Fatal(err)
	}
	if len(m) != 1 {
		e.Fatalf("received %d messages, want one", len(m))
	}
	return m[0]
}

// takeN receives n messages by as many calls as it takes.
func (e *env) takeN(q *queue.Queue, n int) (all []queue.Message) {
	e.Helper()
	for len(all) < n {
		m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: min(10, n-len(all)), Visibility: -1, Wait: time.Second})
		if err != nil {
			e.Fatal(err)
		}
		if len(m) == 0 {
			e.Fatalf("received %d messages, want %d", len(all), n)
		}
		all = append(all, m...)
	}
	return all
}

// none checks that nothing is visible.
func (e *env) none(q *queue.Queue) {
	e.Helper()
	m, err := q.Receive(e.ctx, queue.ReceiveOptions{Max: 10, Visibility: -1})
	if err != nil {
		e.Fatal(err)
	}
	if len(m) != 0 {
		e.Fatalf("received %d messages, the first %q; want none", len(m), m[0].Body)
	}
}

func (e *env) delete(q *queue.Queue, receipts ...string) {
	e.Helper()
	errs, err := q.Delete(e.ctx, receipts...)
	e.noErrors(errs, err)
}

func (e *env) noErrors(errs []error, err error) {
	e.Helper()
	if err = errors.Join(append(errs, err)...); err != nil {
		e.Fatal(err)
	}
}

func (e *env) change(q *queue.Queue, receipt string, d time.Duration) error {
	e.Helper()
	errs, err := q.ChangeVisibility(e.ctx, queue.VisibilityChange{Receipt: receipt, Visibility: d})
	if err != nil {
		e.Fatal(err)
	}
	return errs[0]
}

// wantErr checks what an error is.
func (e *env) wantErr(err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("error is %v, want %v", err, want)
	}
}

// wantCounts checks visible, delayed and in flight.
func (e *env) wantCounts(q *queue.Queue, visible, delayed, inFlight int64) {
	e.Helper()
	if e.h.Remote {
		return
	}
	d, err := q.Describe(e.ctx)
	if err != nil {
		e.Fatal(err)
	}
	if d.Visible != visible || d.Delayed != delayed || d.InFlight != inFlight {
		e.Errorf("%d visible, %d delayed, %d in flight; want %d, %d, %d",
			d.Visible, d.Delayed, d.InFlight, visible, delayed, inFlight)
	}
}

func bodies(ms []queue.Message) (b []string) {
	for _, m := range ms {
		b = append(b, m.Body)
	}
	return b
}
