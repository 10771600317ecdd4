package task

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// defaultKeep is how long the result of a task without Keep is kept.
const defaultKeep = 24 * time.Hour

// Returning is a task with a result.
type Returning[A, R any] struct{ *Task[A] }

// DefineResult makes a task of a function with a result, which is kept as JSON
// for a day, or as long as Keep says.
func DefineResult[A, R any](name string, fn func(context.Context, A) (R, error), options ...Option) Returning[A, R] {
	var run func(context.Context, A) error
	if fn != nil {
		run = func(ctx context.Context, args A) error {
			r, err := fn(ctx, args)
			if err != nil {
				return err
			}
			return SetResult(ctx, r)
		}
	}
	t := Define(name, run, options...)
	if t.set.keep == 0 {
		t.set.keep = defaultKeep
	}
	return Returning[A, R]{t}
}

// EndError is how a task ended whose result is asked for and that has none.
type EndError struct{ Status Status }

func (e *EndError) Error() string {
	text := fmt.Sprintf("task %s %s: %s", e.Status.Task, e.Status.ID, e.Status.State)
	if e.Status.Error != "" {
		text += ": " + e.Status.Error
	}
	return text
}

// Wait returns the result of a call once it is done. It fails with *EndError if
// it failed for good or was cancelled, and when ctx ends. See the function Wait.
func (t Returning[A, R]) Wait(ctx context.Context, s *records.Store, id string) (r R, err error) {
	st, err := Wait(ctx, s, id)
	if err != nil {
		return r, err
	}
	return t.Result(st)
}

// Result reads the result out of a status.
func (t Returning[A, R]) Result(st Status) (r R, err error) {
	if st.State != Finished {
		return r, &EndError{st}
	}
	if len(st.Result) > 0 {
		if err := json.Unmarshal(st.Result, &r); err != nil {
			return r, fmt.Errorf("task %s %s: result: %w", t.name, st.ID, err)
		}
	}
	return r, nil
}
