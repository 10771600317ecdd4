package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/task"
)

// ours is package task on a queue.
type ours struct {
	q      *queue.Queue
	client *task.Client
	noop   *task.Task[call]
	begin  func(int) error
}

// openDayfly uses a queue of dayfly up by its URL, as an application does.
func openDayfly(ctx context.Context, url string) (library, error) {
	q, err := sqsqueue.Open(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	return tasksOn(q), nil
}

// openEmbedded is the engine in this process, its store in a folder.
func openEmbedded(ctx context.Context, dir string) (library, error) {
	e, err := diskqueue.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	s := queue.New(e)
	for name, a := range map[string]queue.Attributes{
		"default-dead": {},
		"default":      {DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: 5}},
	} {
		if err := s.CreateQueue(ctx, name, a, nil); err != nil {
			s.Close() //nolint:errcheck // the error before counts
			return nil, err
		}
	}
	return tasksOn(s.Queue("default")), nil
}

func tasksOn(q *queue.Queue) *ours {
	o := &ours{q: q, client: task.NewClient(q, nil)}
	o.noop = task.Define("noop", func(_ context.Context, c call) error { return o.begin(c.I) })
	return o
}

func (o *ours) enqueue(ctx context.Context, i int) error {
	_, err := o.noop.Enqueue(ctx, o.client, call{i})
	return err
}

func (o *ours) enqueueMany(ctx context.Context, first, n int, _ bool) error {
	calls := make([]call, n)
	for i := range calls {
		calls[i].I = first + i
	}
	_, err := o.noop.EnqueueMany(ctx, o.client, calls)
	return err
}

func (o *ours) left(ctx context.Context) (int, error) {
	d, err := o.q.Describe(ctx)
	return int(d.Visible + d.InFlight + d.Delayed), err
}

func (o *ours) work(ctx context.Context, concurrency int, begin func(int) error) error {
	o.begin = begin
	w, err := task.NewWorker(o.q, task.WorkerOptions{Tasks: []task.Definition{o.noop}, Concurrency: concurrency,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

func (o *ours) close() error {
	var c io.Closer = o.q.Service()
	return c.Close()
}
