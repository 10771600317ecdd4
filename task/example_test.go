package task_test

import (
	"context"
	"errors"
	"log"
	"os"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task"
)

// What the examples of this package stand on.

type ImportArgs struct {
	Tenant string
	File   int
}

// openQueue is a queue in a folder; a program has it of sqsqueue.Open.
func openQueue(ctx context.Context) (q *queue.Queue, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	engine, err := diskqueue.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	s := queue.New(engine)
	err = errors.Join(s.CreateQueue(ctx, "default-dead", queue.Attributes{}, nil),
		s.CreateQueue(ctx, "default", queue.Attributes{DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: 5}}, nil))
	if err != nil {
		log.Fatal(err)
	}
	return s.Queue("default"), func() { _ = errors.Join(s.Close(), os.RemoveAll(dir)) }
}

// worker runs tasks until the returned function is called.
func worker(ctx context.Context, q *queue.Queue, store *records.Store, tasks ...task.Definition) (stop func()) {
	w, err := task.NewWorker(q, task.WorkerOptions{Tasks: tasks, Records: store})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			log.Fatal(err)
		}
	}
}
