// Package task runs functions in the background: a program defines a task,
// enqueues calls of it, and a worker, in this process or another, runs them.
//
// A task runs at least once. What is enqueued is on disk in the queue before
// Enqueue returns and stays there until a worker has run it and said so; a
// worker that dies in between leaves it to be run again by another. A task may
// therefore run twice, or twice at once when a worker lost its lease without
// noticing yet, and its effects have to bear that: write by key, make the
// effect conditional on its not having happened, or bring it about by Once,
// which keeps a ledger of what happened.
//
// A task that fails is run again after a growing, random pause; when its
// attempts are over it goes to the queue's dead-letter queue together with the
// reason, and never silently away.
//
// Messages are CloudEvents 1.0 in JSON (doc/formats/task-message.md), so that
// any language can enqueue tasks and run them. Nothing is registered globally:
// a worker runs the tasks it is given.
package task

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// MaxName is the longest name of a task in bytes.
const MaxName = 128

// Definition is a task a worker can run: a *Task of any argument type.
type Definition interface {
	// Name of the task, the type of its messages.
	Name() string

	run(ctx context.Context, event *Event) error
	settings() (settings, error)
}

// Task is a function that runs in the background, and its name. A *Task is
// immutable and may be used by any number of goroutines.
type Task[A any] struct {
	name string
	fn   func(context.Context, A) error
	set  settings
	err  error
}

// settings of a task, as its options left them.
type settings struct {
	timeout  time.Duration
	attempts int
	keep     time.Duration // 0: nothing is kept
}

// Option of a task.
type Option func(*settings) error

// Define makes a task of fn. Its arguments travel as JSON: A is any type that
// encoding/json marshals and unmarshals; fields that the sender's version of A
// has and the worker's has not are ignored.
//
// The name is 1–128 characters of [A-Za-z0-9_.:/-] and identifies the task in
// messages that may outlive the program: change what a name means only with
// the queue empty. A bad name or option is reported by the first Enqueue and
// by NewWorker.
//
// fn returns nil when the task is done; any error has it run again later
// (Permanent and RetryAfter say otherwise). It must return soon after its
// context ended: see WorkerOptions.Grace.
func Define[A any](name string, fn func(context.Context, A) error, options ...Option) *Task[A] {
	t := &Task[A]{name: name, fn: fn, err: CheckName(name)}
	if fn == nil && t.err == nil {
		t.err = fmt.Errorf("task %s: no function", name)
	}
	for _, o := range options {
		if err := o(&t.set); err != nil && t.err == nil {
			t.err = fmt.Errorf("task %s: %w", name, err)
		}
	}
	return t
}

// Timeout ends the context of a run after d; the run has then failed. Default
// 0: a run may take as long as the queue lets a message be in flight, 12 hours
// on SQS.
func Timeout(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("timeout %v is not positive", d)
		}
		s.timeout = d
		return nil
	}
}

// Attempts is how many times the task is delivered to a worker before it goes
// to the dead-letter queue, 1–1000; default WorkerOptions.MaxAttempts. Where
// the queue's own redrive limit is lower, that holds.
func Attempts(n int) Option {
	return func(s *settings) error {
		if n < 1 || n > maxAttempts {
			return fmt.Errorf("attempts %d is not in 1–%d", n, maxAttempts)
		}
		s.attempts = n
		return nil
	}
}

// Name of the task.
func (t *Task[A]) Name() string { return t.name }

func (t *Task[A]) settings() (settings, error) { return t.set, t.err }

func (t *Task[A]) run(ctx context.Context, event *Event) error {
	var args A
	if len(event.Data) > 0 {
		if err := json.Unmarshal(event.Data, &args); err != nil {
			return &ArgumentsError{Task: t.name, Err: err}
		}
	}
	return t.fn(ctx, args)
}

// CheckName reports what is wrong with a name of a task: it is 1–128
// characters of [A-Za-z0-9_.:/-].
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("task name %.40q has %d bytes, not 1–%d", name, len(name), MaxName)
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '_', c == '.', c == ':', c == '/', c == '-':
		default:
			return fmt.Errorf("task name %q has %q, which is not one of A-Z a-z 0-9 _ . : / -", name, c)
		}
	}
	return nil
}
