package task_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/task"
)

// A worker of two queues: bulk has its turn when nothing urgent waits.
func ExampleNewWorkerOf() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	engine, err := diskqueue.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	s := queue.New(engine)
	defer s.Close()
	for _, name := range []string{"urgent", "bulk"} { // dayfly up makes those of the manifest
		err := errors.Join(s.CreateQueue(ctx, name+"-dead", queue.Attributes{}, nil),
			s.CreateQueue(ctx, name, queue.Attributes{DeadLetter: &queue.DeadLetter{Queue: name + "-dead", MaxReceives: 5}}, nil))
		if err != nil {
			log.Fatal(err)
		}
	}
	urgent, bulk := s.Queue("urgent"), s.Queue("bulk")

	left := 4
	greet := task.Define("greet", func(_ context.Context, name string) error {
		fmt.Println("hello", name) // one at a time, as Concurrency is 1
		if left--; left == 0 {
			stop()
		}
		return nil
	})
	_, err1 := greet.EnqueueMany(ctx, task.NewClient(bulk, nil), []string{"Ann", "Bob"})
	_, err2 := greet.EnqueueMany(ctx, task.NewClient(urgent, nil), []string{"Eve", "Joe"})
	if err := errors.Join(err1, err2); err != nil {
		log.Fatal(err)
	}

	w, err := task.NewWorkerOf([]task.Source{{Queue: urgent}, {Queue: bulk}},
		task.WorkerOptions{Tasks: []task.Definition{greet}, Concurrency: 1})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Unordered output:
	// hello Eve
	// hello Joe
	// hello Ann
	// hello Bob
}
