package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/jobs"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/manifest"
	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/task"
)

// workerConcurrency is how many tasks run at once in one worker process: most
// of them wait for a registry.
const workerConcurrency = 8

// worker runs tasks until ctx ends, then finishes those under way.
func worker(ctx context.Context, s *settings, log *slog.Logger) error {
	p, err := openParts(ctx, s, log)
	if err != nil {
		return err
	}
	defer p.close()
	o := fetch.Options{Log: log}
	if p.cache != nil {
		o.Cache = answers{p.cache}
	}
	client := fetch.New(o)
	defer client.Close()
	j := p.jobs
	if j.Registries, err = openRegistries(s, client); err != nil {
		return err
	}
	if j.Mail, err = mail.Open(ctx, s.Mail, nil); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	w, err := task.NewWorker(p.queue, task.WorkerOptions{
		Tasks: j.All(), Payloads: p.payloads, Concurrency: workerConcurrency, Log: log, DrainTimeout: 20 * time.Second,
		Backoff: task.Backoff{Min: 5 * time.Second, Floor: time.Second},
	})
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := j.First(ctx, dir, s.FirstManifest); err != nil {
		// Without it there is still a site to give files to.
		log.Error("nothing was imported at the first start", "error", err)
	}
	log.Info("worker is ready", "database", p.db.Kind())
	return w.Run(ctx)
}

// importFile has a worker read a file.
func importFile(ctx context.Context, s *settings, name string, out io.Writer) error {
	data, err := manifest.ReadFile(name)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	m, err := manifest.Read(path, data)
	if err != nil {
		return err
	}
	p, err := openParts(ctx, s, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer p.close()
	args := jobs.ImportArgs{Name: path, Content: string(data)}
	if len(data) > task.MaxMessage/2 {
		// More than a message holds: the worker reads it from this machine.
		args = jobs.ImportArgs{Name: path, File: path}
	}
	id, err := p.jobs.Import.Enqueue(ctx, p.jobs.Client, args)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s names %d packages; task %s reads it\n", m.File, len(m.Requirements), id)
	return nil
}
