package task

import (
	"errors"
	"fmt"
	"time"
)

// Causes with which a worker ends the context of a running task; read them
// with context.Cause.
var (
	// ErrLeaseLost: the message is no longer this worker's (its visibility
	// ended, it was deleted or purged, or the queue could not be reached for
	// so long that it may be). Another worker may be running the task.
	ErrLeaseLost = errors.New("task: the lease of the message was lost")
	// ErrDraining: the worker is stopping and DrainTimeout is over. The task
	// is given back to the queue and runs again elsewhere.
	ErrDraining = errors.New("task: the worker is stopping")
	// ErrTimeout: the task ran longer than its Timeout.
	ErrTimeout = errors.New("task: timeout")
)

// ErrNoDeadLetter: the queue has no dead-letter queue and the worker was given
// none, so a task that cannot be run would have no place to go.
var ErrNoDeadLetter = errors.New("task: the queue has no dead-letter queue")

// errAbandoned is the failure of a run that did not return within Grace after
// its context ended.
var errAbandoned = errors.New("task: did not return after its context ended")

// UnknownTaskError is the failure of a message whose task the worker was not
// given. It is retried like any failure, as a worker of another version may
// know the task, and dead-lettered when its attempts are over.
type UnknownTaskError struct{ Task string }

func (e *UnknownTaskError) Error() string {
	return fmt.Sprintf("task: unknown task %q: no worker that received it runs a task of that name", e.Task)
}

// ArgumentsError is the failure of a run whose arguments did not fit the type
// of the task. It is retried like any failure, as a worker of another version
// may read them.
type ArgumentsError struct {
	Task string
	Err  error
}

func (e *ArgumentsError) Error() string {
	return fmt.Sprintf("task: arguments of %s: %v", e.Task, e.Err)
}

// Unwrap returns the decoder's error.
func (e *ArgumentsError) Unwrap() error { return e.Err }

// PanicError is the failure of a run that panicked.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked, at most 8 KiB
}

func (e *PanicError) Error() string { return fmt.Sprintf("task: panic: %v", e.Value) }

// Unwrap returns the panic's value if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks err as one that trying again will not cure: the task goes to
// the dead-letter queue at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err, or an error it wraps, is Permanent.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// RetryAfter marks err as one after which the task is to be run again d from
// now instead of after the worker's back-off, as when a service said when to
// come again. d is cut to 0–12 h. It counts as an attempt like any failure.
// RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, min(max(d, 0), maxVisibility)}
}
