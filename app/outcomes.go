package app

import (
	"errors"
	"maps"
	"sync"

	"github.com/dayfly-dev/dayfly/task"
)

// maxTaskNames of tasks are counted each by itself. They come out of messages.
const maxTaskNames = 200

// otherTasks is what the rest are counted under.
const otherTasks = "_OTHER"

// outcomes counts the runs of dayfly's own workers, which push tasks.
type outcomes struct {
	mu    sync.Mutex
	runs  map[ran]runs
	names map[string]bool
	waits map[string]uint64 // runs that a ledger kept waiting which does not answer, by queue
}

// ran is what became of a run.
type ran struct {
	queue, task string
	outcome     task.Outcome
}

// runs of one kind.
type runs struct {
	count   uint64
	seconds float64
}

// observe is an OnResult.
func (o *outcomes) observe(r task.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.runs == nil {
		o.runs, o.names, o.waits = map[ran]runs{}, map[string]bool{}, map[string]uint64{}
	}
	if r.Outcome == task.Postponed && errors.Is(r.Err, task.ErrLedgerUnreachable) {
		o.waits[r.Run.Queue]++
	}
	name := r.Run.Task
	if !o.names[name] {
		if name == "" || len(o.names) >= maxTaskNames {
			name = otherTasks
		} else {
			o.names[name] = true
		}
	}
	k := ran{r.Run.Queue, name, r.Outcome}
	x := o.runs[k]
	o.runs[k] = runs{x.count + 1, x.seconds + r.Took.Seconds()}
}

func (o *outcomes) ledgerWaits() map[string]uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.waits)
}

func (o *outcomes) all() map[ran]runs {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.runs)
}
