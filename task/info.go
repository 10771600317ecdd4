package task

import (
	"context"
	"log/slog"
	"time"
)

// Run describes the run of a task to the task.
type Run struct {
	Task     string    // its name
	ID       string    // of the task: the same in every run and every duplicate of it
	Attempt  int       // from 1: how many times the message was delivered
	Enqueued time.Time // the message's own time; zero if its sender set none
	Queue    string    // name of the queue it came from
	Source   string    // who enqueued it, as the CloudEvents source
	// Traceparent and Tracestate are the W3C trace context it was enqueued
	// under, or "": as the message has them, which anybody may have sent.
	Traceparent string
	Tracestate  string
}

type runKey struct{}

// ofRun is what the context of a run carries.
type ofRun struct {
	Run
	log    *slog.Logger // nil: the default one
	orders *orders      // nil: of a worker without records
}

// Info returns the description of the run whose context ctx is or derives
// from, and false outside of one.
func Info(ctx context.Context) (Run, bool) {
	r, ok := ctx.Value(runKey{}).(*ofRun)
	if !ok {
		return Run{}, false
	}
	return r.Run, true
}

// Log returns the logger for the run whose context ctx is or derives from. Its
// lines carry queue, task, id and attempt, and trace_id where the task was
// enqueued under a trace. They go where WorkerOptions.Log goes, and where that
// is nil to slog.Default(), which is also what Log returns outside of a run.
func Log(ctx context.Context) *slog.Logger {
	r, ok := ctx.Value(runKey{}).(*ofRun)
	if !ok {
		return slog.Default()
	}
	log := r.log
	if log == nil {
		log = slog.Default()
	}
	return log.With("queue", r.Queue).With(r.attrs()...)
}

// attrs are what log lines about the run carry besides the queue's name.
func (r Run) attrs() []any {
	a := []any{"task", r.Task, "id", r.ID, "attempt", r.Attempt}
	if id := traceID(r.Traceparent); id != "" {
		a = append(a, "trace_id", id)
	}
	return a
}

// about returns the logger of the worker for lines about one message.
func (s *shift) about(d *delivery) *slog.Logger { return s.log.With(d.run.attrs()...) }
