package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hibiken/asynq"
)

// asynqTasks is asynq on Redis.
type asynqTasks struct {
	at     asynq.RedisClientOpt
	client *asynq.Client
	about  *asynq.Inspector
}

func openAsynq(address string, concurrency int) (library, error) {
	at := asynq.RedisClientOpt{Addr: address, PoolSize: concurrency + singly}
	return &asynqTasks{at: at, client: asynq.NewClient(at), about: asynq.NewInspector(at)}, nil
}

func (a *asynqTasks) enqueue(ctx context.Context, i int) error {
	payload, err := json.Marshal(call{i})
	if err != nil {
		return err
	}
	_, err = a.client.EnqueueContext(ctx, asynq.NewTask(call{}.Kind(), payload))
	return err
}

func (a *asynqTasks) enqueueMany(context.Context, int, int, bool) error { return errNotOffered }

func (a *asynqTasks) left(context.Context) (int, error) {
	q, err := a.about.GetQueueInfo("default")
	if errors.Is(err, asynq.ErrQueueNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return q.Size, nil
}

// checks is how often asynq looks for tasks when it found none: what it waits
// for is never told to it. Default 1 s.
const checks = time.Millisecond

func (a *asynqTasks) work(ctx context.Context, concurrency int, begin func(int) error) error {
	s := asynq.NewServer(a.at, asynq.Config{Concurrency: concurrency, LogLevel: asynq.ErrorLevel, TaskCheckInterval: checks})
	err := s.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
		var c call
		if err := json.Unmarshal(t.Payload(), &c); err != nil {
			return err
		}
		return begin(c.I)
	}))
	if err != nil {
		return err
	}
	<-ctx.Done()
	s.Shutdown()
	return nil
}

func (a *asynqTasks) close() error { return errors.Join(a.client.Close(), a.about.Close()) }
