package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

const (
	statusPrefix  = "task/status/"
	statusVersion = 1
	maxStatus     = 192 << 10 // bytes of a record

	// MaxResult is the largest result of a task in bytes of JSON.
	MaxResult = 128 << 10

	maxProgressText = 1024
)

// Status is what is on record of a task that keeps it (see Keep).
type Status struct {
	ID      string          `json:"id"`
	State   State           `json:"state"`
	Task    string          `json:"task,omitempty"`
	Queue   string          `json:"queue,omitempty"`
	Attempt int             `json:"attempt,omitempty"` // of the latest run, from 1
	Started time.Time       `json:"started,omitzero"`  // that run, by its worker's clock
	At      time.Time       `json:"at,omitzero"`       // of the latest word
	Done    float64         `json:"progress,omitempty"`
	Text    string          `json:"text,omitempty"` // what goes with Done
	Error   string          `json:"error,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"` // JSON; nil if it set none
}

// State of a task.
type State string

// States of a task, as far as its runs have told.
const (
	// Unseen: nothing is on record. It waits for its first run, or does not keep
	// its state, or that expired, or there is no such task.
	Unseen State = "unseen"
	// Running: a run of it began. Where its worker died it stays so until the
	// next run.
	Running State = "running"
	// Waiting: a run failed, or was broken off, and another will come.
	Waiting State = "waiting"
	// Finished: it is done.
	Finished State = "done"
	// Failed: it is a dead letter. A redrive has it run again.
	Failed State = "failed"
	// WasCancelled: it was cancelled (see Cancel).
	WasCancelled State = "cancelled"
)

// Final reports whether nothing more is to come by itself.
func (s State) Final() bool { return s == Finished || s == Failed || s == WasCancelled }

// entry is the value of a record, in this order.
type entry struct {
	V       int             `json:"v"`
	State   State           `json:"state"`
	Task    string          `json:"task"`
	Queue   string          `json:"queue"`
	Owner   string          `json:"owner"`
	Sent    int64           `json:"sent"` // ms; of the message whose run it is
	Attempt int             `json:"attempt"`
	Started string          `json:"started,omitempty"`
	At      string          `json:"at"`
	Done    float64         `json:"done,omitempty"`
	Text    string          `json:"text,omitempty"`
	Error   string          `json:"error,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
}

func decodeEntry(r records.Record) (e entry, err error) {
	fail := func(err error) (entry, error) {
		return entry{}, fmt.Errorf("task: record %q cannot be read: %w", r.Key, err)
	}
	if len(r.Value) > maxStatus {
		return fail(fmt.Errorf("it has %d bytes, more than %d", len(r.Value), maxStatus))
	}
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return fail(err)
	}
	if e.V != statusVersion {
		return fail(fmt.Errorf("it has version %d, this program knows %d", e.V, statusVersion))
	}
	for _, at := range []string{e.Started, e.At} {
		if _, err := when(at); err != nil {
			return fail(err)
		}
	}
	return e, nil
}

func (e entry) status(id string) Status {
	s := Status{ID: id, State: e.State, Task: e.Task, Queue: e.Queue, Attempt: e.Attempt, Done: e.Done, Text: e.Text,
		Error: e.Error, Result: e.Result}
	s.Started, _ = when(e.Started) // checked
	s.At, _ = when(e.At)
	return s
}

// StatusOf returns what is on record of a task.
func StatusOf(ctx context.Context, s *records.Store, id string) (Status, error) {
	if s == nil {
		return Status{}, ErrNoRecords
	}
	r, err := s.Get(ctx, statusPrefix+id)
	switch {
	case err == nil:
		e, err := decodeEntry(r)
		return e.status(id), err
	case !errors.Is(err, records.ErrNotFound):
		return Status{}, fmt.Errorf("task: status of %s: %w", id, err)
	}
	st := Status{ID: id, State: Unseen}
	c, ordered, err := CancellationOf(ctx, s, id)
	if ordered && !c.Applied.IsZero() {
		st.State, st.Task, st.Queue, st.At = WasCancelled, c.Task, c.Queue, c.Applied
		if c.Finished {
			st.State = Finished
		}
	}
	return st, err
}

// Wait returns the status of a task once it is final, or what is known and an
// error when ctx ends. It asks the store after 50 ms, and less and less often, at
// least each second; an error of the store that may pass is waited out.
func Wait(ctx context.Context, s *records.Store, id string) (Status, error) {
	if s == nil {
		return Status{}, ErrNoRecords
	}
	last := Status{ID: id, State: Unseen}
	for pause := 50 * time.Millisecond; ; pause = min(pause*3/2, time.Second) {
		st, err := StatusOf(ctx, s, id)
		if err == nil {
			if last = st; st.State.Final() {
				return st, nil
			}
		} else if errors.Is(err, records.ErrClosed) {
			return last, err
		}
		if ctx.Err() != nil {
			return last, fmt.Errorf("task: wait for %s, which is %s: %w", id, last.State, context.Cause(ctx))
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}
