package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/records"
)

// Workers say what they run as long as somebody asks, and cost nothing while
// nobody does: the question is an order, which they list anyway, and each answer
// one record for all that a worker runs.
const (
	lookPrefix = "task/look/" // and the name of the queue
	lookFor    = 30 * time.Second
	lookAgain  = 10 * time.Second // of lookFor is left when the question is put again

	runsMark    = "task-runs"
	runsPrefix  = "task/runs/" // the name of the queue, "/", a random name of the worker
	runsVersion = 1
	runsLast    = 15 * time.Second // an answer ends if it is not given again
	runsRepeat  = 5 * time.Second  // an answer that says the same as before
	maxRuns     = 192 << 10        // bytes of a record
	maxRunText  = 200              // bytes of progress in it

	// MaxRuns is how many runs a worker names, the newest ones.
	MaxRuns = 100
	// maxWorkers is how many workers of all queues are listened to.
	maxWorkers = 500
)

// WorkerRuns is what one worker of a queue said that it runs.
type WorkerRuns struct {
	Worker string      // a random name, as long as its Worker.Run lasts
	Host   string      // and PID: its process
	PID    int         //
	At     time.Time   // when it said so, by its clock
	Total  int         // runs under way
	Oldest time.Time   // when the longest of them began; zero: there is none
	Runs   []RunStatus // the newest MaxRuns of them at most, newest first
}

// RunStatus is a run under way.
type RunStatus struct {
	ID      string
	Task    string
	Key     string // by which it is unique or done once, else its group; "" of one that has none
	Attempt int    // from 1
	Began   time.Time
	Done    float64 // progress, of a task that keeps its state (see Keep)
	Text    string  // that goes with it
	Ending  string  // why its context has ended; "": it has not
}

// Runs asks the workers of a queue what they run, and returns what they said
// last: the first call in half a minute finds nothing, and one a second or two
// later all. It is told by workers with WorkerOptions.Records; what one said that
// then died is there for 15 s. At most 500 workers are listened to.
func Runs(ctx context.Context, s *records.Store, queue string) ([]WorkerRuns, error) {
	if err := checkPaused(s, queue); err != nil {
		return nil, err
	}
	if err := ask(ctx, s, queue); err != nil {
		return nil, err
	}
	var all []WorkerRuns
	heard := 0
	for r, err := range s.All(ctx, runsMark) {
		if err != nil {
			return nil, fmt.Errorf("task: list what runs: %w", err)
		}
		if heard++; heard > maxWorkers {
			break
		}
		name, ok := strings.CutPrefix(r.Key, runsPrefix+queue+"/")
		if !ok {
			continue
		}
		w, err := decodeRuns(r)
		if err != nil {
			return nil, err
		}
		w.Worker = name
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b WorkerRuns) int { return strings.Compare(a.Worker, b.Worker) })
	return all, nil
}

// ask puts the question, unless it was put lately.
func ask(ctx context.Context, s *records.Store, queue string) error {
	value, err := newOrder(nil).encode()
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, lookPrefix+queue, func(old *records.Record) (records.Record, error) {
		if old != nil && time.Until(old.Expires) > lookFor-lookAgain {
			return *old, records.ErrUnchanged
		}
		return records.Record{Value: value, Mark: orderMark, Expires: time.Now().Add(lookFor)}, nil
	})
	if err != nil && !errors.Is(err, records.ErrConflict) { // somebody else asked
		return fmt.Errorf("task: ask what runs in %s: %w", queue, err)
	}
	return nil
}

// runsEntry is the value of a worker's record, in this order.
type runsEntry struct {
	V      int        `json:"v"`
	Host   string     `json:"host"`
	PID    int        `json:"pid"`
	At     string     `json:"at"`
	Total  int        `json:"total"`
	Oldest string     `json:"oldest,omitempty"`
	Runs   []runEntry `json:"runs"`
}

type runEntry struct {
	ID      string  `json:"id"`
	Task    string  `json:"task"`
	Key     string  `json:"key,omitempty"`
	Attempt int     `json:"attempt"`
	Began   string  `json:"began"`
	Done    float64 `json:"done,omitempty"`
	Text    string  `json:"text,omitempty"`
	Ending  string  `json:"ending,omitempty"`
}

// encode leaves out the oldest runs where all would not fit into a record, as
// they do unless ids are long and full of what JSON escapes.
func (e runsEntry) encode() ([]byte, error) {
	for {
		value, err := json.Marshal(e)
		if err != nil || len(value) <= maxRuns {
			return value, err
		}
		e.Runs = e.Runs[:len(e.Runs)/2]
	}
}

func decodeRuns(r records.Record) (w WorkerRuns, err error) {
	fail := func(err error) (WorkerRuns, error) {
		return WorkerRuns{}, fmt.Errorf("task: record %q cannot be read: %w", r.Key, err)
	}
	var e runsEntry
	if len(r.Value) > maxRuns {
		return fail(fmt.Errorf("it has %d bytes, more than %d", len(r.Value), maxRuns))
	}
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return fail(err)
	}
	if e.V != runsVersion {
		return fail(fmt.Errorf("it has version %d, this program knows %d", e.V, runsVersion))
	}
	if len(e.Runs) > MaxRuns || e.Total < len(e.Runs) {
		return fail(fmt.Errorf("it names %d runs of %d, at most %d may be", len(e.Runs), e.Total, MaxRuns))
	}
	w = WorkerRuns{Host: e.Host, PID: e.PID, Total: e.Total}
	var errs [2]error
	w.At, errs[0] = when(e.At)
	w.Oldest, errs[1] = when(e.Oldest)
	if err := errors.Join(errs[:]...); err != nil {
		return fail(err)
	}
	for _, x := range e.Runs {
		began, err := when(x.Began)
		if err != nil {
			return fail(err)
		}
		w.Runs = append(w.Runs, RunStatus{ID: x.ID, Task: x.Task, Key: x.Key, Attempt: x.Attempt, Began: began,
			Done: x.Done, Text: x.Text, Ending: x.Ending})
	}
	return w, nil
}
