package task

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// shift is what one Run of a worker does with one of its queues.
type shift struct {
	*Worker
	q       *queue.Queue
	o       WorkerOptions // bound to the queue
	redrive int           // deliveries after which the queue itself dead-letters; 0: never
	log     *slog.Logger

	claims  *claims        // of the worker's slots
	hands   *hands         // of all the worker's queues
	active  sync.WaitGroup // deliveries not yet concluded
	leases  leases
	lines   lines // of a FIFO queue
	fifo    bool
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

func newShift(w *Worker, q *queue.Queue, o WorkerOptions, redrive *queue.DeadLetter) *shift {
	s := &shift{Worker: w, q: q, o: o, fifo: isFIFO(q.Name())}
	s.log = o.Log.With("queue", q.Name())
	s.away = &outage{log: s.log}
	if redrive != nil {
		s.redrive = redrive.MaxReceives
	}
	s.leases.init()
	if o.Records != nil {
		s.orders = newOrders()
	}
	// Handlers do not wait for the acknowledgement of their success, so
	// what is not yet acknowledged is bounded here.
	s.deletes = newBatcher(s.deleteBatch, settleLanes, 4*o.Concurrency+settleLanes*batchSize)
	s.deletes.eager, s.deletes.size = 1, q.Service().BatchSize
	if q.Service().Remote() && !s.fifo { // where a delete lets the next of its group come
		s.deletes.linger = deleteLinger
	}
	s.returns = newBatcher(s.returnBatch, settleLanes, 4*o.Concurrency+settleLanes*batchSize)
	s.returns.size = q.Service().BatchSize
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
		n := s.claims.ask(receiving)
		if n == 0 {
			return nil
		}
		if s.orders.isPaused() { // while it waited
			s.pollers.leave(0)
			s.claims.answered(n, 0)
			continue
		}
		got, err := s.q.Receive(polling, queue.ReceiveOptions{Max: n, Visibility: s.o.Visibility, Wait: s.o.Wait})
		s.pollers.leave(len(got))
		s.beginAll(got, s.claims.answered(n, len(got)), receiving, handling)
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
