package dash

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// Bounds of what is listed of the tasks that run.
const (
	runsShown    = 50
	workersShown = 12
)

// Worker is what one of a queue's workers said that it runs.
type Worker struct {
	Host   string    `json:"host"` // and PID: its process
	PID    int       `json:"pid"`
	At     time.Time `json:"at"`     // when it said so
	Total  int       `json:"total"`  // runs under way
	Oldest time.Time `json:"oldest"` // when the longest of them began; zero: there is none
	Runs   []TaskRun `json:"-"`      // the newest, as many as it names
}

// TaskRun is a run of a task under way.
type TaskRun struct {
	ID      string    `json:"id"`
	Task    string    `json:"task"`
	Key     string    `json:"key"` // by which it is unique or done once, else its group; may be empty
	Attempt int       `json:"attempt"`
	Began   time.Time `json:"began"`
	Done    float64   `json:"progress"` // a number of the task's own choice
	Text    string    `json:"text"`     // what goes with it
	Ending  string    `json:"ending"`   // why it was told to end; "" it was not
	Worker  string    `json:"worker"`   // host/pid
}

// running is what runs of a queue's tasks.
type running struct {
	Total   int       `json:"total"`
	Oldest  time.Time `json:"oldest"` // zero: nothing runs
	Workers []Worker  `json:"workers"`
	Tasks   []TaskRun `json:"tasks"`             // the newest
	Untold  int64     `json:"untold"`            // messages in flight that are not among them
	Problem string    `json:"problem,omitempty"` // why it is not known
}

// running is nil for a queue that has no workers of its own, and where nothing
// is by which they could say what they run.
func (d *Dash) running(ctx context.Context, q queueRow) *running {
	if d.Tasks == nil || !d.Tasks.Activity(q.Name).Pausable {
		return nil
	}
	workers, err := d.Tasks.Runs(ctx, q.Name)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	x := &running{Workers: slices.Clone(workers), Tasks: []TaskRun{}}
	if err != nil { // the messages are shown all the same
		d.Log.Warn("what runs not read", "queue", q.Name, "error", err)
		x.Problem = err.Error()
		return x
	}
	for _, w := range workers {
		x.Total += w.Total
		if !w.Oldest.IsZero() && (x.Oldest.IsZero() || w.Oldest.Before(x.Oldest)) {
			x.Oldest = w.Oldest
		}
		for _, r := range w.Runs {
			r.Worker, r.ID, r.Task, r.Key = w.Name(), strip(r.ID, longestID), strip(r.Task, 200), strip(r.Key, 240)
			r.Text, r.Ending = strip(r.Text, 200), strip(r.Ending, 200)
			x.Tasks = append(x.Tasks, r)
		}
	}
	slices.SortStableFunc(x.Workers, func(a, b Worker) int { return cmp.Or(b.Total-a.Total, strings.Compare(a.Name(), b.Name())) })
	slices.SortStableFunc(x.Tasks, func(a, b TaskRun) int {
		return cmp.Or(b.Began.Compare(a.Began), strings.Compare(a.ID, b.ID))
	})
	x.Tasks = x.Tasks[:min(len(x.Tasks), runsShown)]
	x.Untold = max(0, q.InFlight-int64(x.Total))
	return x
}

// Busiest are the workers that run most, as many as are named.
func (x running) Busiest() []Worker { return x.Workers[:min(len(x.Workers), workersShown)] }

// Others are how many workers are not named.
func (x running) Others() int { return len(x.Workers) - len(x.Busiest()) }

// Name of a worker, as a person finds it: the machine and the process.
func (w Worker) Name() string {
	return fmt.Sprintf("%s/%d", strip(cmp.Or(w.Host, "unknown"), 100), w.PID)
}

// Row is what the run is known by on a page. Two workers may run one task, where
// a lease was lost.
func (r TaskRun) Row() string { return r.Worker + " " + r.ID }

// Anchor is the id of the question whether it is to be cancelled.
func (r TaskRun) Anchor() string { return anchor("cancel", r.Row()) }

// anchor is an id for a page, of whatever text.
func anchor(what, of string) string {
	h := fnv.New64a()
	h.Write([]byte(of)) //nolint:errcheck // it cannot fail
	return fmt.Sprintf("%s-%x", what, h.Sum64())
}

// OfID is the page of the task.
func (r TaskRun) OfID() string { return taskAddress(r.ID) }
