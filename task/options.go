package task

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task/ledger"
	"github.com/dayfly-dev/dayfly/task/payload"
)

const (
	maxAttempts   = 1000 // SQS's largest maxReceiveCount
	maxVisibility = 12 * time.Hour
	maxWait       = 20 * time.Second
	receiveMax    = 10
)

// WorkerOptions of a worker.
type WorkerOptions struct {
	// Tasks the worker runs. At least one; no two of one name.
	Tasks []Definition
	// Concurrency is how many tasks run at once, of all queues; default four for each
	// processor Go uses, at least 8; at most 10,000.
	Concurrency int
	// Visibility is how long the queue hides a message from other workers
	// without a word from this one: how soon the task of a worker that died
	// runs again. 1 s–12 h in whole seconds; default the queue's own.
	Visibility time.Duration
	// Heartbeat is how often the worker extends the visibility of what it
	// runs; default a third of Visibility, at most half of it.
	Heartbeat time.Duration
	// Wait is how long one request waits for messages, 1–20 s; default 20 s.
	Wait time.Duration
	// Backoff is the pause before a failed task runs again.
	Backoff Backoff
	// MaxAttempts is how often a task without Attempts of its own is
	// delivered before it goes to the dead-letter queue, 1–1000; default the
	// limit of the queue's redrive attribute, else 5. A worker that died and a
	// lease that was lost count, as the queue counts deliveries.
	MaxAttempts int
	// DeadLetter takes what cannot be run; default the queue named by the
	// redrive attribute of the worker's queue. Run fails where there is neither.
	DeadLetter *queue.Queue
	// Payloads is where arguments too large for a message are, that of
	// ClientOptions.Payloads. Default nil: tasks with such arguments fail.
	Payloads *payload.Store
	// DrainTimeout is how long running tasks may go on after the worker was
	// told to stop; default 30 s. Then their contexts end with ErrDraining.
	DrainTimeout time.Duration
	// Grace is how long a task may go on after its context ended. Then it is
	// abandoned: its slot is given to another and its message to the queue,
	// although its goroutine still runs, as Go cannot stop one. Default 5 s.
	Grace time.Duration
	// Ledger is where Once keeps what happened; default none, and Once fails.
	Ledger *ledger.Ledger
	// Records are those that all machines share: through them the worker's queue
	// is paused and tasks are cancelled, limits hold over all workers, and unique
	// keys are freed. They are listed once a second. Default none: Pause and Cancel
	// do not reach this worker.
	Records *records.Store
	// Limits of how many tasks run at once, and begin in a time. Default none but
	// Concurrency. With Records they hold over all workers that share those.
	Limits []Limit
	// Middleware is around the run of each task, the first outermost: it sees
	// the whole event, the context with Info and Log, and the error, a panic
	// among them as a *PanicError. It is not called for a message that is not
	// run: one whose task is unknown, whose time has not come, whose stored
	// arguments are not to be had. Default none.
	Middleware []func(Handler) Handler
	// Log takes what happens; default nothing is logged. Arguments of tasks
	// are never logged, errors are.
	Log *slog.Logger
	// OnResult is called after each run, from many goroutines; default nothing.
	OnResult func(Result)
}

// Backoff is exponential with full jitter: the pause after the n-th failure is
// random between 0 and Min·2ⁿ, at most Max (Brooker, "Exponential Backoff And
// Jitter", AWS Architecture Blog, 2015), but never less than Floor.
type Backoff struct {
	Min   time.Duration // default 1 s
	Max   time.Duration // default 15 min; at most 12 h
	Floor time.Duration // default 0: a retry may come at once
}

// pause after the n-th failure, n from 1.
func (b Backoff) pause(n int) time.Duration {
	top := b.Max
	if n < 62 {
		if d := b.Min << n; d>>n == b.Min && d < b.Max {
			top = d
		}
	}
	return max(b.Floor, time.Duration(rand.Int64N(int64(top)+1)))
}

// Outcome of one run.
type Outcome string

// What became of a task's message after a run.
const (
	Done     Outcome = "done"     // it returned nil; the message is being deleted
	Retried  Outcome = "retried"  // it failed and runs again later
	Dead     Outcome = "dead"     // it failed and went to the dead-letter queue
	Lost     Outcome = "lost"     // the lease was lost; whatever it returned, it runs again
	Returned Outcome = "returned" // given back: the worker stopped, the queue is paused, or no slot was free for long
	// Postponed: it said that it did not run; it comes again without an attempt
	// used up (see Postpone).
	Postponed Outcome = "postponed"
	// Cancelled: somebody cancelled it, and it was removed (see Cancel).
	Cancelled Outcome = "cancelled"
	// Duplicate: it was removed, as one of its UniqueBy had begun.
	Duplicate Outcome = "duplicate"
)

// Result of one run, for OnResult.
type Result struct {
	Run     Run
	Outcome Outcome
	Err     error         // what the task returned, or why it did not run
	Took    time.Duration // 0 if it did not run
}

func (o WorkerOptions) normalise() (WorkerOptions, error) {
	setDefault(&o.Concurrency, max(8, 4*runtime.GOMAXPROCS(0)))
	setDefault(&o.Wait, maxWait)
	setDefault(&o.Backoff.Min, time.Second)
	setDefault(&o.Backoff.Max, 15*time.Minute)
	setDefault(&o.DrainTimeout, 30*time.Second)
	setDefault(&o.Grace, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnResult == nil {
		o.OnResult = func(Result) {}
	}
	var errs []error
	wrong := func(bad bool, field string, value any, want string) {
		if bad {
			errs = append(errs, fmt.Errorf("task: WorkerOptions.%s is %v, not %s", field, value, want))
		}
	}
	errs = append(errs, checkLimits(o.Limits))
	wrong(len(o.Tasks) == 0, "Tasks", "empty", "at least one task")
	wrong(o.Concurrency < 1 || o.Concurrency > 10_000, "Concurrency", o.Concurrency, "1–10000")
	wrong(o.Visibility < 0 || o.Visibility > maxVisibility || o.Visibility%time.Second != 0,
		"Visibility", o.Visibility, "whole seconds of 1s–12h")
	wrong(o.Heartbeat < 0, "Heartbeat", o.Heartbeat, "positive")
	wrong(o.Wait < time.Second || o.Wait > maxWait, "Wait", o.Wait, "1s–20s")
	wrong(o.Backoff.Min < 0, "Backoff.Min", o.Backoff.Min, "positive")
	wrong(o.Backoff.Max < o.Backoff.Min || o.Backoff.Max > maxVisibility, "Backoff.Max", o.Backoff.Max, "Min–12h")
	wrong(o.Backoff.Floor < 0 || o.Backoff.Floor > o.Backoff.Max, "Backoff.Floor", o.Backoff.Floor, "0–Max")
	wrong(o.MaxAttempts < 0 || o.MaxAttempts > maxAttempts, "MaxAttempts", o.MaxAttempts, "1–1000")
	wrong(o.DrainTimeout < 0, "DrainTimeout", o.DrainTimeout, "positive")
	wrong(o.Grace < 0, "Grace", o.Grace, "positive")
	return o, errors.Join(errs...)
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// bind completes the options with what the queue says of itself.
func (o WorkerOptions) bind(d queue.Description, s *queue.Service) (WorkerOptions, error) {
	setDefault(&o.Visibility, wholeSeconds(d.Attributes.Visibility))
	setDefault(&o.Visibility, 30*time.Second) // the queue's is 0
	setDefault(&o.Heartbeat, o.Visibility/3)
	if o.Heartbeat > o.Visibility/2 {
		return o, fmt.Errorf("task: WorkerOptions.Heartbeat is %v, more than half the visibility timeout %v", o.Heartbeat, o.Visibility)
	}
	redrive := d.Attributes.DeadLetter
	if o.DeadLetter == nil && redrive != nil {
		o.DeadLetter = s.Queue(redrive.Queue)
	}
	if o.DeadLetter == nil {
		return o, fmt.Errorf("%w: give %s a redrive policy (in dayfly.toml: attempts in [queue.%s]), or the worker a DeadLetter",
			ErrNoDeadLetter, d.Name, d.Name)
	}
	if o.DeadLetter.Name() == d.Name && o.DeadLetter.Service() == s {
		return o, fmt.Errorf("task: WorkerOptions.DeadLetter is the worker's own queue %s", d.Name)
	}
	if redrive != nil {
		setDefault(&o.MaxAttempts, redrive.MaxReceives)
	}
	setDefault(&o.MaxAttempts, 5)
	return o, nil
}
