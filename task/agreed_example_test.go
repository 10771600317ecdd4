package task_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task"
)

// A task that is enqueued already is told by its id.
func ExampleUnique() {
	ctx := context.Background()
	q, remove := openQueue(ctx)
	defer remove()
	store := records.New(memrecords.New()) // a program has it of records/open
	client := task.NewClient(q, &task.ClientOptions{Records: store})
	load := task.Define("load", func(context.Context, ImportArgs) error { return nil })

	first, err := load.Enqueue(ctx, client, ImportArgs{"ann", 1}, task.Unique("", time.Hour))
	fmt.Println(err)
	second, err := load.Enqueue(ctx, client, ImportArgs{"ann", 1}, task.Unique("", time.Hour))
	fmt.Println(errors.Is(err, task.ErrDuplicate), second == first)

	_, err = task.OrExisting(load.Enqueue(ctx, client, ImportArgs{"ann", 1}, task.Unique("", time.Hour)))
	fmt.Println(err)
	// Output:
	// <nil>
	// true true
	// <nil>
}

// One import of a tenant at a time, on however many machines.
func ExampleLimit() {
	ctx, stop := context.WithCancel(context.Background())
	q, remove := openQueue(ctx)
	defer remove()
	var running, most, done atomic.Int64
	load := task.Define("load", func(context.Context, ImportArgs) error {
		most.Store(max(most.Load(), running.Add(1)))
		running.Add(-1)
		if done.Add(1) == 20 {
			stop()
		}
		return nil
	})
	for file := range 20 {
		if _, err := load.Enqueue(ctx, task.NewClient(q, nil), ImportArgs{"ann", file}); err != nil {
			log.Fatal(err)
		}
	}
	w, err := task.NewWorker(q, task.WorkerOptions{
		Tasks:   []task.Definition{load},
		Records: records.New(memrecords.New()), // a program has it of records/open
		Limits: []task.Limit{
			{Task: "load", Concurrency: 1, By: task.ByArgs(func(a ImportArgs) string { return a.Tenant })},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.Load(), "imported,", most.Load(), "at a time")
	// Output: 20 imported, 1 at a time
}
