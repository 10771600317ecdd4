package task

import (
	"context"
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
	// Traceparent is the W3C trace context it was enqueued under, or "".
	Traceparent string
}

type runKey struct{}

// Info returns the description of the run whose context ctx is or derives
// from, and false outside of one.
func Info(ctx context.Context) (Run, bool) {
	r, ok := ctx.Value(runKey{}).(Run)
	return r, ok
}
