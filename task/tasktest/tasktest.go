// Package tasktest helps programs test their tasks: what was enqueued, with
// which arguments, and what happens when it runs, fails, and is tried again.
//
//	q := tasktest.New(t, SendMail)
//	signUp(ctx, q.Client(), "ann@example.com") // the program's own code
//	if call := tasktest.One(q, SendMail); call.Args.To != "ann@example.com" { … }
//	q.Run()
//
// Client and worker are the real ones, over a queue in memory: arguments go
// through JSON, a task the worker was not given is an unknown task, attempts
// are counted and used up, and what fails for good lies in the dead-letter
// queue. There is no network, no file and no waiting: the queue has a clock of
// its own, the real one plus what Advance and Drain turned it on. By that clock
// the records of this package expire too: windows of task.Unique end, results are
// no longer kept.
//
// That clock is the queue's and these records' alone. A task that asks time.Now
// gets the real time; so do task.At, which counts from it, and limits of rate.
// Tests that need a fake time there as well run inside testing/synctest, which
// works with this package.
package tasktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/internal/hold"
)

// mostRuns of one Run or Drain; more are taken for a task that feeds itself.
const mostRuns = 10_000

// Options of a queue for a test.
type Options struct {
	// Name of the queue; default "default". A FIFO queue's ends in .fifo.
	Name string
	// Tasks the worker runs; those that are missing are unknown to it.
	Tasks []task.Definition
	// Attempts are the queue's, as in dayfly.toml; default 5.
	Attempts int
	// Inline runs what is due before Enqueue returns.
	Inline bool
	// Client has the options of the client. Its Records, and those of Worker, are
	// by default one store of this package, which expires by the queue's clock; a
	// store that is given goes by the real one.
	Client *task.ClientOptions
	// Worker has the options of the worker (Backoff, Log, …), of which this
	// package sets Tasks, Visibility and Heartbeat itself. The default of
	// Concurrency is 1 here: tasks run in the order of their enqueues.
	Worker task.WorkerOptions
}

// Queue is a queue with its client and its worker, for one test. Its methods may
// be called from any number of goroutines, but not Run, Drain and Advance from
// a task.
type Queue struct {
	t      testing.TB
	m      *memory
	o      Options
	client *task.Client
	worker *task.Worker

	running sync.Mutex // held by Run and Drain
	mu      sync.Mutex
	results []task.Result
	turn    int // results of the turn under way
	stop    context.CancelFunc
}

// New returns a queue for t whose worker runs the tasks. Without tasks it only
// takes down what is enqueued.
func New(t testing.TB, tasks ...task.Definition) *Queue {
	t.Helper()
	return Options{Tasks: tasks}.New(t)
}

// New returns a queue with these options. Wrong options fail the test.
func (o Options) New(t testing.TB) *Queue {
	t.Helper()
	if o.Name == "" {
		o.Name = "default"
	}
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	q := &Queue{t: t, o: o, m: newMemory()}
	if o.Inline {
		q.m.sent = func() {
			if err := q.turnOnce(false); err != nil {
				t.Errorf("tasktest: %v", err)
			}
		}
	}
	s := queue.New(q.m)
	dead := deadName(o.Name)
	fifo := strings.HasSuffix(o.Name, ".fifo")
	for name, a := range map[string]queue.Attributes{
		dead:   {FIFO: fifo},
		o.Name: {FIFO: fifo, DeadLetter: &queue.DeadLetter{Queue: dead, MaxReceives: o.Attempts}},
	} {
		if err := s.CreateQueue(t.Context(), name, a, nil); err != nil {
			t.Fatalf("tasktest: %v", err)
		}
	}
	q.share()
	q.client = task.NewClient(s.Queue(o.Name), q.o.Client)
	if err := q.hire(s); err != nil {
		t.Fatalf("tasktest: %v", err)
	}
	return q
}

// deadName is what dayfly calls a queue's dead-letter queue.
func deadName(name string) string {
	if base, fifo := strings.CutSuffix(name, ".fifo"); fifo {
		return base + "-dead.fifo"
	}
	return name + "-dead"
}

// share gives client and worker one store of records.
func (q *Queue) share() {
	var c task.ClientOptions
	if q.o.Client != nil {
		c = *q.o.Client
	}
	if c.Records == nil {
		c.Records = q.o.Worker.Records
	}
	if c.Records == nil {
		c.Records = q.m.records()
	}
	if q.o.Worker.Records == nil {
		q.o.Worker.Records = c.Records
	}
	q.o.Client = &c
}

// nothing is the task of a worker that was given none: a worker needs one.
var nothing = task.Define("tasktest:nothing", func(context.Context, struct{}) error { return nil })

func (q *Queue) hire(s *queue.Service) (err error) {
	w := q.o.Worker
	w.Tasks = q.o.Tasks
	if len(w.Tasks) == 0 {
		w.Tasks = []task.Definition{nothing}
	}
	if w.Concurrency == 0 {
		w.Concurrency = 1
	}
	// What is received stays so until the worker is done with it: the
	// queue's clock may be turned on by days while a task runs.
	w.Visibility, w.Heartbeat = 12*time.Hour, 0
	given := w.OnResult
	w.OnResult = func(r task.Result) {
		q.note(r)
		if given != nil {
			given(r)
		}
	}
	q.worker, err = task.NewWorker(s.Queue(q.o.Name), w)
	return err
}

// note takes down a result, and ends a turn that does not end by itself.
func (q *Queue) note(r task.Result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.results = append(q.results, r)
	if q.turn++; q.turn == mostRuns {
		q.stop()
	}
}

// Client enqueues into the queue; it is what the code under test is given.
func (q *Queue) Client() *task.Client { return q.client }

// Run runs all tasks that are due, those among them that these enqueue, and
// returns when none is; the clock stays as it is. It returns what became of
// each run, in order: Result.Outcome is task.Done, task.Retried or task.Dead,
// Result.Err what the task returned.
func (q *Queue) Run() []task.Result {
	q.t.Helper()
	return q.turnOrFail(false)
}

// Drain is Run and then, as often as tasks wait for their time (delayed, or to
// be tried again), turns the clock on to the first of them and runs it, until
// the queue is empty. A task that enqueues itself without end fails the test
// after 10,000 runs: use Run and Advance.
func (q *Queue) Drain() []task.Result {
	q.t.Helper()
	return q.turnOrFail(true)
}

// Advance turns the queue's clock on by d, which must not be negative. Nothing
// runs before the next Run.
func (q *Queue) Advance(d time.Duration) {
	q.t.Helper()
	if d < 0 {
		q.t.Fatalf("tasktest: Advance(%v): the clock goes forward only", d)
	}
	q.m.advance(d)
}

// Now is the time by the queue's clock.
func (q *Queue) Now() time.Time {
	q.m.mu.Lock()
	defer q.m.mu.Unlock()
	return q.m.now()
}

// Results are those of all runs so far.
func (q *Queue) Results() []task.Result {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]task.Result(nil), q.results...)
}

func (q *Queue) turnOrFail(drain bool) []task.Result {
	q.t.Helper()
	before := len(q.Results())
	if err := q.turnOnce(drain); err != nil {
		q.t.Fatalf("tasktest: %v", err)
	}
	return q.Results()[before:]
}

// turnOnce has the worker work until the queue has nothing for it. In a turn
// under way it does nothing: that one sees to what was enqueued.
func (q *Queue) turnOnce(drain bool) error {
	if !q.running.TryLock() {
		return nil
	}
	defer q.running.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(q.t.Context()))
	defer cancel()
	q.mu.Lock()
	q.turn, q.stop = 0, cancel
	q.mu.Unlock()
	err := q.m.serve(drain, cancel, func() error { return q.worker.Run(hold.Never(ctx)) })
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil && q.turn >= mostRuns {
		err = errors.New("10,000 runs, and tasks still wait: does one enqueue itself? Then use Run and Advance instead of Drain")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", q.o.Name, err)
	}
	return nil
}

// Records are those of the worker: Options.Worker.Records, else the client's, else
// some in memory that expire by the queue's clock. Batches, states and results are
// there.
func (q *Queue) Records() *records.Store { return q.o.Worker.Records }
