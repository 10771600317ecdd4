// Command soak is the Go worker of the soak of tasks (TestSoakTasks): it runs
// tasks of each kind and writes down what it does, one line an event, so that a
// line is there or not, whenever the process is killed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/mail"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
	"github.com/dayfly-dev/dayfly/task/payload"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := work(ctx); err != nil {
		log.Fatal(err)
	}
}

func work(ctx context.Context) error {
	file, err := os.OpenFile(os.Getenv("SOAK_RECORD"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	q, err := sqsqueue.Open(ctx, os.Getenv("QUEUE_DEFAULT_URL"), nil)
	if err != nil {
		return err
	}
	payloads, err := payload.Open(ctx, os.Getenv("PAYLOADS_URL"), nil)
	if err != nil {
		return err
	}
	defer payloads.Close()
	store, err := open.URL(ctx, os.Getenv("RECORDS_URL"))
	if err != nil {
		return err
	}
	defer store.Close()
	book, err := ledger.New(store, &ledger.Options{Lease: 2 * time.Second, Quarantine: 2 * time.Second, Now: steppedClock(ctx)})
	if err != nil {
		return err
	}
	sender, err := mail.Open(ctx, os.Getenv("SMTP_URL"), nil)
	if err != nil {
		return err
	}
	k := &kinds{record: file, sender: sender}
	go k.beat(ctx)
	w, err := task.NewWorker(q, task.WorkerOptions{Tasks: k.tasks(strings.Split(os.Getenv("SOAK_TYPES"), ",")),
		Ledger: book, Payloads: payloads, Concurrency: 16, Wait: 5 * time.Second,
		Backoff: task.Backoff{Max: 2 * time.Second}, Middleware: []func(task.Handler) task.Handler{k.written},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// steppedClock is the machine's clock, off by as many milliseconds as the file
// SOAK_CLOCK says for this process. The test steps it.
func steppedClock(ctx context.Context) func() time.Time {
	var off atomic.Int64
	look := func() {
		text, _ := os.ReadFile(os.Getenv("SOAK_CLOCK") + "." + os.Getenv("DAYFLY_PROCESS")) // none: it is right
		ms, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		off.Store(ms)
	}
	look()
	go func() {
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			select {
			case <-tick.C:
				look()
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	}()
	return func() time.Time { return time.Now().Add(time.Duration(off.Load()) * time.Millisecond) }
}

// event is a line of the record.
type event struct {
	Who  string `json:"who"`
	PID  int    `json:"pid"`
	ID   string `json:"id"`
	Type string `json:"type"`
	Try  int    `json:"try"`
	What string `json:"what"` // begin, done, failed; stall
	At   int64  `json:"at"`   // Unix, in milliseconds
	// Until is the end of a stall, which began at At.
	Until int64  `json:"until,omitempty"`
	Why   string `json:"why,omitempty"`
}

// written writes down the beginning and the end of each run.
func (k *kinds) written(next task.Handler) task.Handler {
	return func(ctx context.Context, e *task.Event) error {
		run, _ := task.Info(ctx)
		line := event{Who: os.Getenv("DAYFLY_PROCESS"), PID: os.Getpid(), ID: run.ID, Type: run.Task, Try: run.Attempt, What: "begin"}
		if err := k.write(line); err != nil {
			return err
		}
		err := next(ctx, e)
		if line.What = "done"; err != nil {
			line.What, line.Why = "failed", err.Error()
		}
		return errors.Join(err, k.write(line))
	}
}

// beat writes down when the machine did not let this process run.
func (k *kinds) beat(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for last := time.Now(); ; last = time.Now() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now := time.Now(); now.Sub(last) > 500*time.Millisecond {
			err := k.write(event{Who: os.Getenv("DAYFLY_PROCESS"), PID: os.Getpid(), What: "stall", At: last.UnixMilli(), Until: now.UnixMilli()})
			if err != nil {
				log.Print(err)
			}
		}
	}
}

func (k *kinds) write(e event) error {
	if e.At == 0 {
		e.At = time.Now().UnixMilli()
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = k.record.Write(append(text, '\n'))
	return err
}
