package task

import (
	"context"
	"errors"
	"fmt"
)

// anyName is what Any is filed under; no task can have it.
const anyName = "*"

// Any makes a definition of all tasks that a worker has no other definition of:
// for programs that pass tasks on instead of running them themselves. fn gets
// the whole event, of which it may keep nothing after it returned; Info tells
// which run it is. Its Timeout and Attempts are those of each of the tasks. A
// worker takes one such definition.
func Any(fn func(context.Context, *Event) error, options ...Option) Definition {
	d := anyTask{fn: fn}
	if fn == nil {
		d.err = errors.New("task: Any has no function")
	}
	for _, o := range options {
		if err := o(&d.set); err != nil && d.err == nil {
			d.err = fmt.Errorf("task: Any: %w", err)
		}
	}
	return d
}

type anyTask struct {
	fn  func(context.Context, *Event) error
	set settings
	err error
}

func (anyTask) Name() string                                  { return anyName }
func (d anyTask) settings() (settings, error)                 { return d.set, d.err }
func (d anyTask) run(ctx context.Context, event *Event) error { return d.fn(ctx, event) }
