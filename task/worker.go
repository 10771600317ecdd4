package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// Worker runs the tasks of a queue, or of several.
type Worker struct {
	sources []Source
	o       WorkerOptions
	tasks   map[string]definition
	given   *slog.Logger // of the options, nil if there was none
	running atomic.Bool

	lastPoll time.Duration // see receive
	quiet    time.Duration // see quiet
}

type definition struct {
	Definition
	settings
	handle Handler // runs it, inside of the middleware
}

// NewWorker checks the options and returns a worker for q. It does not touch
// the queue before Run.
func NewWorker(q *queue.Queue, options WorkerOptions) (*Worker, error) {
	return NewWorkerOf([]Source{{Queue: q}}, options)
}

// NewWorkerOf checks the options and returns a worker for several queues, at most
// 20, which share its Concurrency: a priority is a queue. Without weights a task
// is begun only when nothing waits in the queues before its own, so those at the
// end wait for as long as it takes; with weights each queue has its share. A task
// that runs is not interrupted for another: Source.Most keeps slots free.
//
// The other options are for each of the queues. The default of Visibility, of
// MaxAttempts and of DeadLetter is the queue's own, and Limits without a Name are
// each queue's own.
func NewWorkerOf(of []Source, options WorkerOptions) (*Worker, error) {
	o, err := options.normalise()
	if err != nil {
		return nil, err
	}
	w := &Worker{sources: slices.Clone(of), o: o, given: options.Log, tasks: make(map[string]definition, len(o.Tasks)),
		lastPoll: 500 * time.Millisecond, quiet: quiet}
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
	if err := checkSources(of, o.Concurrency); err != nil {
		return nil, err
	}
	return w, nil
}

// Run works until ctx ends and then drains: it stops receiving, gives back
// what it received and did not start, lets running tasks finish within
// DrainTimeout, then ends their contexts and gives them back. It returns nil
// after a drain that left no task behind; a task that ignored its context is
// an error. It returns early if a queue does not exist, is closed, or has no
// dead-letter queue, after draining as well. One Run at a time.
//
// Values of ctx are seen by tasks; its end is not, until the drain is over.
func (w *Worker) Run(ctx context.Context) error {
	if !w.running.CompareAndSwap(false, true) {
		return errors.New("task: the worker runs already")
	}
	defer w.running.Store(false)
	c, err := w.gather(ctx)
	switch {
	case err == nil:
		return c.work(ctx)
	case ctx.Err() != nil:
		return nil
	}
	return err
}
