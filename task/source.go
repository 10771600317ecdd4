package task

import (
	"errors"
	"fmt"

	"github.com/dayfly-dev/dayfly/queue"
)

const (
	maxSources = 20
	maxWeight  = 1000
)

// Source is one of the queues that a worker takes tasks from (see NewWorkerOf).
type Source struct {
	// Queue tasks come from; required. Like the queue of any worker it has a
	// dead-letter queue.
	Queue *queue.Queue
	// Weight is the queue's share of the time that the worker's slots are in use,
	// beside the weights of those other queues that have tasks waiting: 1–1000 for
	// each queue of the worker, or 0, the default, for each: then the first queue
	// that has tasks is served first.
	Weight int
	// Most is how many of the worker's slots the queue's tasks may have, 1 to
	// WorkerOptions.Concurrency; default all. What is left is there at once for
	// the worker's other queues, however long this one's tasks run.
	Most int
}

// checkSources reports what is wrong with the queues of a worker of so many
// slots.
func checkSources(of []Source, concurrency int) error {
	if len(of) == 0 || len(of) > maxSources {
		return fmt.Errorf("task: a worker has %d queues, not 1–%d", len(of), maxSources)
	}
	for i, s := range of {
		switch {
		case s.Queue == nil:
			return fmt.Errorf("task: Source %d has no queue", i)
		case s.Weight < 0 || s.Weight > maxWeight:
			return fmt.Errorf("task: Weight of %s is %d, not 1–%d, or 0 for strict order", s.Queue.Name(), s.Weight, maxWeight)
		case (s.Weight == 0) != (of[0].Weight == 0):
			return errors.New("task: some queues of the worker have a Weight and some have none: give one to each, or to none for strict order")
		case s.Most < 0 || s.Most > concurrency:
			return fmt.Errorf("task: Most of %s is %d, not 1–%d, the worker's Concurrency", s.Queue.Name(), s.Most, concurrency)
		}
		for _, t := range of[:i] {
			if t.Queue.Name() == s.Queue.Name() && t.Queue.Service() == s.Queue.Service() {
				return fmt.Errorf("task: the worker has the queue %s twice", s.Queue.Name())
			}
		}
	}
	return nil
}
