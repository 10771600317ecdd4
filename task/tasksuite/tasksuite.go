// Package tasksuite is the conformance suite of the task layer: what package
// task promises, written once, for any queue and any store of records. A test
// calls Run with a Harness for what a worker does, and RunOnce with one for each
// store that effects are kept in.
//
// It runs in real time, as there is a network between; each test has queues of
// its own, waits for conditions, and runs beside the others.
package tasksuite

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// Harness is what the suite runs on.
type Harness struct {
	// Queues makes and reaches queues. It stays the caller's to close.
	Queues *queue.Service
	// Payloads takes large arguments; nil where RunOnce alone is called.
	Payloads *payload.Store
	// Records is the store of effects; nil where Run alone is called.
	Records *records.Store
	// AtOnce bounds the tests at once on one service, of all harnesses that have
	// it; default 8. With more, a small machine would not renew leases in time.
	AtOnce int
	// StoreAtOnce bounds the tests at once on one store, of all harnesses that have
	// it; default 24.
	StoreAtOnce int
	// Visibility of the queues; default 10 s, in which a machine under load still
	// renews a lease.
	Visibility time.Duration
	// GivesToTheGone says that the service may give a message to a request that was
	// broken off, which counts as a delivery that nobody had, as moto does.
	GivesToTheGone bool
	// Slow says that requests may take longer than the 100 ms for which a worker of
	// several queues waits for the answer of a more urgent one.
	Slow bool
}

// Run runs what a worker does with its queue.
func Run(t *testing.T, h Harness) {
	h.run(t, basicTests, failureTests, timeTests, leaseTests, payloadTests, priorityTests)
}

// RunOnce runs what concerns effects, and what else processes agree on by the
// store of records: chains, batches, orders, limits, unique keys.
func RunOnce(t *testing.T, h Harness) { h.run(t, onceTests, agreedTests, flowTests) }

// run runs the tests beside each other, whatever -parallel says: nearly all they
// do is wait.
func (h Harness) run(t *testing.T, tests ...map[string]func(*rig)) {
	var all sync.WaitGroup
	defer all.Wait()
	queues, stores := slotsOf(h.Queues, cmp.Or(h.AtOnce, 8)), slotsOf(h.Records, cmp.Or(h.StoreAtOnce, 24))
	for _, topic := range tests {
		for name, test := range topic {
			all.Go(func() {
				stores <- struct{}{}
				defer func() { <-stores }()
				queues <- struct{}{}
				defer func() { <-queues }()
				t.Run(name, func(t *testing.T) {
					test(newRig(t, h))
				})
			})
		}
	}
}

var slots sync.Map // *queue.Service, *records.Store → chan struct{}: tests that run on it

func slotsOf(shared any, n int) chan struct{} {
	found, _ := slots.LoadOrStore(shared, make(chan struct{}, n))
	return found.(chan struct{})
}

// Bounds of the suite's queues.
const (
	attempts = 3
	patience = 5 * time.Minute // for what has to come, on a machine that has much else to do
)

// rig is a queue with its dead-letter queue, for one test.
type rig struct {
	*testing.T
	h       Harness
	q, dead *queue.Queue
	c       *task.Client
	book    *ledger.Ledger
	results results

	visibility time.Duration
}

var queues atomic.Int64 // of the process: each has a name of its own

func newRig(t *testing.T, h Harness) *rig {
	t.Helper()
	name := fmt.Sprintf("suite-%d", queues.Add(1))
	r := &rig{T: t, h: h, q: h.Queues.Queue(name), dead: h.Queues.Queue(name + "-dead")}
	r.c = task.NewClient(r.q, &task.ClientOptions{Payloads: h.Payloads})
	r.visibility = cmp.Or(h.Visibility, 10*time.Second)
	a := queue.Attributes{Visibility: r.visibility, DeadLetter: &queue.DeadLetter{Queue: name + "-dead", MaxReceives: attempts}}
	for _, c := range []struct {
		name string
		a    queue.Attributes
	}{{name + "-dead", queue.Attributes{}}, {name, a}} {
		if err := h.Queues.CreateQueue(t.Context(), c.name, c.a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if h.Records != nil {
		book, err := ledger.New(h.Records, &ledger.Options{Lease: 10 * time.Second, Quarantine: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		r.book = book
	}
	return r
}

// work starts a worker, quick to try again; stop ends it, at the latest with the
// test, and returns what Run did.
func (r *rig) work(o task.WorkerOptions) (stop func() error) {
	r.Helper()
	return r.workOf([]task.Source{{Queue: r.q}}, o)
}

// workOf starts a worker of several queues likewise.
func (r *rig) workOf(of []task.Source, o task.WorkerOptions) (stop func() error) {
	r.Helper()
	if o.Backoff == (task.Backoff{}) {
		o.Backoff = task.Backoff{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond}
	}
	if o.Wait == 0 {
		o.Wait = time.Second // a request that is broken off at a stop is soon over
	}
	o.Ledger, o.Payloads, o.OnResult = r.book, r.h.Payloads, r.results.add
	w, err := task.NewWorkerOf(of, o)
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var result error
	go func() {
		defer close(ended)
		result = w.Run(ctx)
	}()
	stop = func() error {
		cancel()
		<-ended
		return result
	}
	r.Cleanup(func() { _ = stop() }) // the test asked for the error, or it is of no matter
	return stop
}
