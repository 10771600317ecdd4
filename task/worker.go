package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task/internal/hold"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// Worker runs the tasks of one queue.
type Worker struct {
	q       *queue.Queue
	o       WorkerOptions
	tasks   map[string]definition
	given   *slog.Logger // of the options, nil if there was none
	running atomic.Bool

	lastPoll time.Duration // see receive
}

type definition struct {
	Definition
	settings
	handle Handler // runs it, inside of the middleware
}

// NewWorker checks the options and returns a worker for q. It does not touch
// the queue before Run.
func NewWorker(q *queue.Queue, options WorkerOptions) (*Worker, error) {
	o, err := options.normalise()
	if err != nil {
		return nil, err
	}
	w := &Worker{q: q, o: o, given: options.Log, tasks: make(map[string]definition, len(o.Tasks)), lastPoll: 500 * time.Millisecond}
	for _, t := range o.Tasks {
		s, err := t.settings()
		if err != nil {
			return nil, err
		}
		if s.keep > 0 && o.Records == nil {
			return nil, fmt.Errorf("%w (%s keeps its state)", ErrNoRecords, t.Name())
		}
		if _, twice := w.tasks[t.Name()]; twice {
			return nil, fmt.Errorf("task: two tasks are named %s", t.Name())
		}
		d := definition{Definition: t, settings: s}
		d.handle = d.handler(o.Middleware)
		w.tasks[t.Name()] = d
	}
	return w, nil
}

// Run works until ctx ends and then drains: it stops receiving, gives back
// what it received and did not start, lets running tasks finish within
// DrainTimeout, then ends their contexts and gives them back. It returns nil
// after a drain that left no task behind; a task that ignored its context is
// an error. It returns early if the queue does not exist, is closed, or has no
// dead-letter queue, after draining as well. One Run at a time.
//
// Values of ctx are seen by tasks; its end is not, until the drain is over.
func (w *Worker) Run(ctx context.Context) error {
	if !w.running.CompareAndSwap(false, true) {
		return errors.New("task: the worker runs already")
	}
	defer w.running.Store(false)
	d, err := w.q.Describe(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("task: worker of %s: %w", w.q.Name(), err)
	}
	o, err := w.o.bind(d, w.q.Service())
	if err != nil {
		return err
	}
	if _, err := o.DeadLetter.Describe(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("task: dead-letter queue %s of %s: %w", o.DeadLetter.Name(), w.q.Name(), err)
	}
	s := newShift(w, o, d.Attributes.DeadLetter)
	s.mayHold = hold.Allowed(ctx)
	return s.work(ctx)
}

// shift is one Run of a worker.
type shift struct {
	*Worker
	o       WorkerOptions // bound to the queue
	redrive int           // deliveries after which the queue itself dead-letters; 0: never
	log     *slog.Logger

	slots   chan struct{}  // a token for each task that runs or may be received
	active  sync.WaitGroup // deliveries not yet concluded
	leases  leases
	lines   lines // of a FIFO queue
	fifo    bool
	lends   bool            // slots of requests for messages, to those that wait
	mayHold bool            // messages, in their line, while they wait
	orders  *orders         // nil: there are no records
	away    *outage         // of the ledger
	teller  teller          // of what runs, to those who ask
	limits  *limits         // nil: there are none
	stopped <-chan struct{} // closed when no more is received
	deletes *batcher[*delivery]
	returns *batcher[*delivery]
	pollers pollers

	removals     *batcher[payload.Ref] // of payloads whose messages are deleted
	removing     context.Context       // of all removals
	stopRemoving context.CancelFunc
}

func newShift(w *Worker, o WorkerOptions, redrive *queue.DeadLetter) *shift {
	s := &shift{Worker: w, o: o, slots: make(chan struct{}, o.Concurrency), fifo: isFIFO(w.q.Name())}
	s.log = o.Log.With("queue", w.q.Name())
	s.away = &outage{log: s.log}
	if redrive != nil {
		s.redrive = redrive.MaxReceives
	}
	s.leases.init()
	s.limits = newLimits(o.Limits, w.q.Name(), o.Records, s.slots, s.acquireOne)
	s.lends = s.fifo || s.limits != nil
	if o.Records != nil {
		s.orders = newOrders()
	}
	// Handlers do not wait for the acknowledgement of their success, so
	// what is not yet acknowledged is bounded here.
	s.deletes = newBatcher(s.deleteBatch, settleLanes, 4*o.Concurrency+settleLanes*batchSize)
	s.deletes.eager = 1
	if w.q.Service().Remote() && !isFIFO(w.q.Name()) { // where a delete lets the next of its group come
		s.deletes.linger = deleteLinger
	}
	s.returns = newBatcher(s.returnBatch, settleLanes, 4*o.Concurrency+settleLanes*batchSize)
	s.removals = newBatcher(s.removeBatch, settleLanes, removeLimit)
	s.removing, s.stopRemoving = context.WithCancel(context.Background())
	for _, t := range w.tasks {
		if s.redrive > 0 && t.attempts > s.redrive {
			s.log.Warn("task has more attempts than the queue delivers; the queue's limit holds",
				"task", t.Name(), "attempts", t.attempts, "limit", s.redrive)
		}
	}
	return s
}

// attempts of a task: its own, else the worker's, at most the queue's.
func (s *shift) attempts(name string) int {
	n := s.o.MaxAttempts
	t, ok := s.tasks[name]
	if !ok {
		t, ok = s.tasks[anyName]
	}
	if ok && t.attempts > 0 {
		n = t.attempts
	}
	if s.redrive > 0 {
		n = min(n, s.redrive)
	}
	return n
}

func (s *shift) work(ctx context.Context) error {
	receiving, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.stopped = receiving.Done()
	// Handlers outlive ctx until the drain is over.
	handling, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	beating := make(chan struct{})
	stopBeating := make(chan struct{})
	go func() {
		defer close(beating)
		s.heartbeat(stopBeating)
	}()

	watching := make(chan struct{})
	go func() {
		defer close(watching)
		if s.orders != nil {
			s.watch(stopBeating)
			s.tellNothing()
		}
	}()

	var receivers sync.WaitGroup
	most := (s.o.Concurrency + receiveMax - 1) / receiveMax
	s.pollers.init(most)
	for range most {
		receivers.Go(func() {
			if err := s.receive(receiving, handling); err != nil {
				stop(err)
			}
		})
	}
	receivers.Wait()
	abandoned := s.drain(s.drainTime(ctx), cancel)
	s.deletes.wait()
	s.returns.wait()
	close(stopBeating)
	<-beating
	<-watching
	s.endRemovals()
	s.limits.close()

	if ctx.Err() == nil {
		return fmt.Errorf("task: worker of %s: %w", s.q.Name(), context.Cause(receiving))
	}
	if abandoned > 0 {
		return fmt.Errorf("task: worker of %s: %d tasks ignored the end of their context; they are given back but still run here",
			s.q.Name(), abandoned)
	}
	return nil
}

// drainTime is how long tasks may go on: until what ended ctx says that all
// must have ended (see package spot), else for DrainTimeout.
func (s *shift) drainTime(ctx context.Context) time.Duration {
	var limit interface{ DrainBy() (time.Time, bool) }
	if errors.As(context.Cause(ctx), &limit) {
		if by, ok := limit.DrainBy(); ok {
			return max(0, time.Until(by)-s.o.Grace)
		}
	}
	return s.o.DrainTimeout
}

// drain waits for what runs, ends it, and abandons what does not end. It
// returns how many were abandoned.
func (s *shift) drain(limit time.Duration, cancel context.CancelCauseFunc) int {
	done := make(chan struct{})
	go func() { // ends: below, everything active is concluded
		s.active.Wait()
		close(done)
	}()
	if waitFor(done, limit) {
		return 0
	}
	cancel(ErrDraining)
	if waitFor(done, s.o.Grace) {
		return 0
	}
	n := 0
	for _, d := range s.leases.unsettled() {
		if s.conclude(d, errAbandoned) {
			n++
			s.about(d).Error("task ignored the end of its context and is abandoned")
		}
	}
	<-done
	return n
}

func waitFor(done <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// receive takes messages for free slots until receiving ends. It returns an
// error when the queue will not answer again.
//
// A request under way at the end is not broken off at once: over a network the
// queue may have handed out messages already, which would stay hidden until
// their visibility timeout. With messages there it returns in no time.
func (s *shift) receive(receiving, handling context.Context) error {
	polling, cancel := context.WithCancel(context.WithoutCancel(receiving))
	defer cancel()
	defer context.AfterFunc(receiving, func() { time.AfterFunc(s.lastPoll, cancel) })()
	failures := 0
	for {
		if !s.orders.open(receiving) || !s.pollers.enter(receiving) {
			return nil
		}
		n := s.acquire(receiving)
		if n == 0 {
			return nil
		}
		if s.orders.isPaused() { // while it waited
			s.pollers.leave(0)
			s.release(n)
			continue
		}
		s.lend(n)
		got, err := s.q.Receive(polling, queue.ReceiveOptions{Max: n, Visibility: s.o.Visibility, Wait: s.o.Wait})
		s.pollers.leave(len(got))
		s.beginAll(got, s.recall(n), receiving, handling)
		switch {
		case err == nil:
			failures = 0
			continue
		case receiving.Err() != nil:
			return nil
		case errors.Is(err, queue.ErrClosed), errors.Is(err, queue.ErrQueueNotFound):
			return err
		}
		failures++
		pause := min(5*time.Second, 50*time.Millisecond<<min(failures, 10))
		pause = pause/2 + rand.N(pause/2)
		s.log.Warn("cannot receive", "error", err, "failures", failures, "pause", pause)
		if waitFor(receiving.Done(), pause) {
			return nil
		}
	}
}

// acquire waits for one free slot and takes up to ten; 0 when ctx ended. Tasks
// about to end are let end first, so that a request asks for more than one.
func (s *shift) acquire(ctx context.Context) int {
	if ctx.Err() != nil {
		return 0
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n, yielded := 1, false; ; {
		if n == receiveMax {
			return n
		}
		select {
		case s.slots <- struct{}{}:
			n++
		default:
			if yielded {
				return n
			}
			yielded = true
			runtime.Gosched()
		}
	}
}

func (s *shift) release(n int) {
	for range n {
		<-s.slots
	}
}
