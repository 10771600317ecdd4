package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// taskworker is an application's worker: its task greet writes a line into a
// file, once for each name, and does not know whether it did where the file lost
// has that name. Its task remind enqueues that for two days later, unless it did.
func taskworker() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := greeting(ctx); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func greeting(ctx context.Context) error {
	store, err := open.URL(ctx, os.Getenv("RECORDS_URL"))
	if err != nil {
		return err
	}
	defer store.Close()
	l, err := ledger.New(store, nil)
	if err != nil {
		return err
	}
	q, err := sqsqueue.Open(ctx, os.Getenv("QUEUE_DEFAULT_URL"), nil)
	if err != nil {
		return err
	}
	greet := task.Define("greet", func(ctx context.Context, names []string) error {
		var errs []error
		for _, name := range names {
			errs = append(errs, task.Once(ctx, "greet/"+name, func(context.Context) error { return write(name) }, task.Payload(name)))
		}
		return task.Collect(errs...)
	})
	sum := task.DefineResult("sum", func(ctx context.Context, terms []int) (int, error) {
		total := 0
		for i, n := range terms {
			total += n
			task.Progress(ctx, float64(i+1), "added")
		}
		return total, nil
	})
	client := task.NewClient(q, &task.ClientOptions{Records: store})
	remind := task.Define("remind", func(ctx context.Context, name string) error {
		_, err := task.OrExisting(greet.Enqueue(ctx, client, []string{name}, task.Unique(name, time.Hour), task.Delay(48*time.Hour)))
		return err
	})
	w, err := task.NewWorker(q, task.WorkerOptions{Tasks: []task.Definition{greet, sum, remind}, Ledger: l, Records: store,
		Limits: []task.Limit{{Task: "remind", Concurrency: 3}}, Log: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func write(name string) error {
	f, err := os.OpenFile("greeted", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return task.NotSent(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, "hello", name); err != nil {
		return err
	}
	if lost, err := os.ReadFile("lost"); err == nil && strings.TrimSpace(string(lost)) == name {
		return errors.New("the answer was lost")
	}
	return nil
}
