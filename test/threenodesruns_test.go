package test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/task"
)

// nodeRun is a run of a task that a schedule enqueued.
type nodeRun struct {
	id         string // NAME@TICK
	attempt    int
	version    int
	began, end time.Time // end is zero while it runs
}

// nodeRuns are all there were.
type nodeRuns struct {
	mu  sync.Mutex
	all []*nodeRun
}

// of the tick of an id: how many messages there were for it, since the first
// attempt of each is one.
func (n *nodeRuns) of(id string) (messages int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.all {
		if r.id == id && r.attempt == 1 {
			messages++
		}
	}
	return messages
}

func (n *nodeRuns) begin(ctx context.Context, version int) (end func()) {
	i, _ := task.Info(ctx)
	r := &nodeRun{id: i.ID, attempt: i.Attempt, version: version, began: time.Now()}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, r)
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		r.end = time.Now()
	}
}

// ticked is the schedule of a run's id, and its tick.
func ticked(t *testing.T, id string) (name string, tick time.Time) {
	t.Helper()
	name, at, _ := strings.Cut(id, "@")
	tick, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatalf("%q is not the id of a tick", id)
	}
	return name, tick
}

// listen runs the tasks of the queue until the end of the test, as a worker on a
// fourth machine.
func (s *nodes) listen() {
	t := s.t
	t.Helper()
	store, err := open.URL(t.Context(), strings.TrimPrefix(s.env[0], "RECORDS_URL="))
	if err != nil {
		t.Fatal(err)
	}
	type args struct{ Version int }
	tick := task.Define("tick", func(ctx context.Context, a args) error {
		s.runs.begin(ctx, a.Version)()
		return nil
	})
	past := task.Define("past", func(ctx context.Context, _ struct{}) error {
		s.runs.begin(ctx, 0)()
		return nil
	})
	slow := task.Define("slow", func(ctx context.Context, _ struct{}) error {
		defer s.runs.begin(ctx, 0)()
		select {
		case <-time.After(2500 * time.Millisecond):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	env := map[string]string{"QUEUE_DEFAULT_URL": s.houses[0].env["QUEUE_DEFAULT_URL"]}
	for name, v := range s.stores.env {
		if strings.HasPrefix(name, "AWS_") {
			env[name] = v
		}
	}
	w, err := task.NewWorker(client(t, env), task.WorkerOptions{Tasks: []task.Definition{tick, past, slow}, Records: store, DrainTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, store.Close()); err != nil {
			t.Error(err)
		}
	})
}

// onceEach waits until each tick of a schedule of every second was fired, and
// expects one message for each: a second one only where the record says that
// the node that fired it was taken for dead.
func (s *nodes) onceEach(name string, first, last time.Time) {
	t := s.t
	t.Helper()
	var ids []string
	for at := first; !at.After(last); at = at.Add(time.Second) {
		ids = append(ids, name+"@"+at.UTC().Format(time.RFC3339))
	}
	if len(ids) < 3 {
		t.Fatalf("%s had only %d ticks from %v to %v", name, len(ids), first, last)
	}
	var missing []string
	// A tick whose node was killed amid of it is fired when its lease is over.
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		missing = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return s.runs.of(id) > 0 })
		if len(missing) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d ticks were never fired: %v; nodes were killed at %v", len(missing), len(ids), missing, s.killed)
		}
	}
	taken, twice := 0, 0
	for _, id := range ids {
		_, at, _ := strings.Cut(id, "@")
		over := s.recorded("schedule/" + name + "/" + at + ".2")
		if over {
			taken++
		}
		switch n := s.runs.of(id); {
		case n > 1 && !over, n > 2:
			t.Errorf("%s was fired %d times; taken over: %v", id, n, over)
		case n > 1:
			twice++
		}
	}
	t.Logf("%s: %d ticks, each fired; %d taken over from a node that was killed, %d of these enqueued twice", name, len(ids), taken, twice)
	if taken > len(s.killed) {
		t.Errorf("%d ticks of %s were taken over, and only %d nodes killed", taken, name, len(s.killed))
	}
}

// argumentsOf expects the manifest's new arguments once all nodes have it, and
// the old ones before any had.
func (n *nodeRuns) argumentsOf(t *testing.T, name string, deployed, last time.Time) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	versions := map[int]int{}
	for _, r := range n.all {
		if who, at := ticked(t, r.id); who == name {
			versions[r.version]++
			if at.Before(deployed.Add(-time.Second)) && r.began.Before(deployed) && r.version != 1 || at.After(last.Add(time.Second)) && r.version != 2 {
				t.Errorf("%s ran with the arguments of manifest %d", r.id, r.version)
			}
		}
	}
	if versions[1] == 0 || versions[2] == 0 {
		t.Errorf("runs by manifest: %v", versions)
	}
}

// before are the ticks of a schedule before a time.
func (n *nodeRuns) before(name string, when time.Time) (ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.all {
		if strings.HasPrefix(r.id, name+"@") && r.began.Before(when) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// noOverlap expects that no two runs of a schedule were under way at once, and
// that there were some.
func (n *nodeRuns) noOverlap(t *testing.T, name string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	var mine []*nodeRun
	for _, r := range n.all {
		if strings.HasPrefix(r.id, name+"@") {
			mine = append(mine, r)
		}
	}
	slices.SortFunc(mine, func(a, b *nodeRun) int { return a.began.Compare(b.began) })
	for i := 1; i < len(mine); i++ {
		if before := mine[i-1]; before.end.IsZero() || before.end.After(mine[i].began) {
			t.Errorf("%s began before %s had ended", mine[i].id, before.id)
		}
	}
	if len(mine) < 2 {
		t.Errorf("%s ran %d times", name, len(mine))
	}
	t.Logf("%s: %d runs, one after the other", name, len(mine))
}

// pastRecord is a record of the store of ticks (doc/formats/schedule-tick.md).
func pastRecord(v map[string]any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it has strings and numbers only
	}
	return b
}
