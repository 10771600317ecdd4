package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/task"
)

// runsAge is how old what workers said may be where each look at it is paid for:
// as long as it lasts unless it is said again, less a look.
const runsAge = 10 * time.Second

// heard is what the workers of a queue said.
type heard struct {
	at      time.Time
	workers []dash.Worker
}

// Runs is what the workers of a queue say that they run.
func (t *tasks) Runs(ctx context.Context, name string) ([]dash.Worker, error) {
	a := t.app
	if a.records == nil {
		return nil, fmt.Errorf("%w: %w", dash.ErrNotFound, errNoOrders)
	}
	t.mu.Lock()
	last, known := t.heard[name]
	t.mu.Unlock()
	if known && a.recordsCost() && time.Since(last.at) < runsAge {
		return last.workers, nil
	}
	ctx, cancel := context.WithTimeout(ctx, pausesPatience)
	defer cancel()
	found, err := task.Runs(ctx, a.records, name)
	if err != nil {
		return nil, err
	}
	workers := []dash.Worker{}
	for _, w := range found {
		workers = append(workers, worker(w))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.heard == nil {
		t.heard = map[string]heard{}
	}
	if len(workers) > 0 { // else they were asked just now
		t.heard[name] = heard{time.Now(), workers}
	}
	return workers, nil
}

// recordsCost reports whether each request to the store of records is paid for.
func (a *App) recordsCost() bool {
	scheme, _, _ := strings.Cut(a.variables.get("RECORDS_URL"), ":")
	return scheme == "s3" || scheme == "dynamodb"
}

func worker(w task.WorkerRuns) dash.Worker {
	d := dash.Worker{Host: w.Host, PID: w.PID, At: w.At, Total: w.Total, Oldest: w.Oldest}
	for _, r := range w.Runs {
		d.Runs = append(d.Runs, dash.TaskRun{ID: r.ID, Task: r.Task, Key: r.Key, Attempt: r.Attempt, Began: r.Began,
			Done: r.Done, Text: r.Text, Ending: r.Ending})
	}
	return d
}
