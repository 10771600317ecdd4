package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverTasks is River on PostgreSQL.
type riverTasks struct {
	pool   *pgxpool.Pool
	insert *river.Client[pgx.Tx] // only inserts
}

var riverLog = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))

func openRiver(ctx context.Context, url string) (library, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	c, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: riverLog})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &riverTasks{pool, c}, nil
}

// migrateRiver makes River's tables, or empties those that are there.
func migrateRiver(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: riverLog})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	for _, sql := range []string{"TRUNCATE river_job", "CHECKPOINT"} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (r *riverTasks) enqueue(ctx context.Context, i int) error {
	_, err := r.insert.Insert(ctx, call{i}, nil)
	return err
}

func (r *riverTasks) enqueueMany(ctx context.Context, first, n int, fast bool) error {
	jobs := make([]river.InsertManyParams, n)
	for i := range jobs {
		jobs[i].Args = call{first + i}
	}
	if fast {
		_, err := r.insert.InsertManyFast(ctx, jobs)
		return err
	}
	_, err := r.insert.InsertMany(ctx, jobs)
	return err
}

func (r *riverTasks) left(ctx context.Context) (n int, err error) {
	err = r.pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&n)
	return n, err
}

type riverWorker struct {
	river.WorkerDefaults[call]
	begin func(int) error
}

func (w *riverWorker) Work(_ context.Context, j *river.Job[call]) error { return w.begin(j.Args.I) }

// How often River fetches: at most, the least it takes, by default 100 ms; and
// when nothing is told to it, by default 1 s.
const (
	riverCooldown = time.Millisecond
	riverPoll     = 10 * time.Millisecond
)

func (r *riverTasks) work(ctx context.Context, concurrency int, begin func(int) error) error {
	all := river.NewWorkers()
	river.AddWorker(all, &riverWorker{begin: begin})
	c, err := river.NewClient(riverpgxv5.New(r.pool), &river.Config{Logger: riverLog, Workers: all,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: concurrency}},
		FetchCooldown: riverCooldown, FetchPollInterval: riverPoll})
	if err != nil {
		return err
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	<-c.Stopped()
	return nil
}

func (r *riverTasks) close() error { r.pool.Close(); return nil }
