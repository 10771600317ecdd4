package task_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task"
)

// The result of a task, for who enqueued it.
func ExampleDefineResult() {
	ctx := context.Background()
	q, remove := openQueue(ctx)
	defer remove()
	store := records.New(memrecords.New()) // a program has it of records/open
	count := task.DefineResult("count", func(ctx context.Context, a ImportArgs) (int, error) {
		task.Progress(ctx, 0.5, "half of the rows")
		return 100 + a.File, nil
	}, task.Keep(time.Hour))
	defer worker(ctx, q, store, count)()

	id, err := count.Enqueue(ctx, task.NewClient(q, nil), ImportArgs{"ann", 7})
	if err != nil {
		log.Fatal(err)
	}
	rows, err := count.Wait(ctx, store, id)
	fmt.Println(rows, err)
	// Output: 107 <nil>
}

// Each step is enqueued when the one before it has succeeded.
func ExampleNewChain() {
	ctx := context.Background()
	q, remove := openQueue(ctx)
	defer remove()
	store := records.New(memrecords.New())
	count := task.DefineResult("count", func(_ context.Context, a ImportArgs) (int, error) { return 100 + a.File, nil })
	double := task.DefineResult("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	defer worker(ctx, q, store, count, double)()

	id, err := task.NewChain(count.With(ImportArgs{"ann", 7}), double.WithResult()).Enqueue(ctx, task.NewClient(q, nil))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(double.Wait(ctx, store, id+"/2"))
	// Output: 214 <nil>
}

// A task that runs when all of the others are settled.
func ExampleNewBatch() {
	ctx := context.Background()
	q, remove := openQueue(ctx)
	defer remove()
	store := records.New(memrecords.New())
	load := task.Define("load", func(_ context.Context, a ImportArgs) error {
		if a.File == 2 {
			return task.Permanent(fmt.Errorf("file %d is not there", a.File))
		}
		return nil
	})
	report := task.DefineResult("report", func(ctx context.Context, to string) (string, error) {
		failed, err := task.BatchFailures(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprint(len(failed), " failed: ", failed[0].Error), nil
	})
	defer worker(ctx, q, store, load, report)()

	id, err := task.NewBatch(report.With("ann@example.com"),
		load.With(ImportArgs{"ann", 1}), load.With(ImportArgs{"ann", 2}), load.With(ImportArgs{"ann", 3}),
	).Enqueue(ctx, task.NewClient(q, nil), store)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Wait(ctx, store, id+"/then"))
	// Output: 1 failed: file 2 is not there <nil>
}
