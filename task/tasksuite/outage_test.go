package tasksuite_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/sqltest"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
)

// TestDatabaseStops: the ledger's PostgreSQL is stopped for many times as long as
// a task would last by its attempts. Nothing is sent and nothing is dead-lettered
// meanwhile, and all is sent once when it is back.
func TestDatabaseStops(t *testing.T) {
	db := sqltest.OwnPostgres(t)
	store, err := open.URL(t.Context(), db.Address+"&lossy=1")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	book, err := ledger.New(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := queue.New(engine)
	defer all.Close()
	for _, q := range []struct {
		name string
		a    queue.Attributes
	}{{"dead", queue.Attributes{}}, {"work", queue.Attributes{DeadLetter: &queue.DeadLetter{Queue: "dead", MaxReceives: 2}}}} {
		if err := all.CreateQueue(t.Context(), q.name, q.a, nil); err != nil {
			t.Fatal(err)
		}
	}
	const tasks = 10
	var mu sync.Mutex
	sent, postponed, lost := map[int]int{}, 0, []task.Result{}
	send := task.Define("send", func(ctx context.Context, n int) error {
		return task.Once(ctx, "mail/"+string(rune('a'+n)), func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			sent[n]++
			return nil
		})
	})
	w, err := task.NewWorker(all.Queue("work"), task.WorkerOptions{Tasks: []task.Definition{send}, Ledger: book, Wait: time.Second,
		Backoff: task.Backoff{Min: time.Millisecond, Max: 2 * time.Millisecond},
		OnResult: func(r task.Result) {
			mu.Lock()
			defer mu.Unlock()
			switch r.Outcome {
			case task.Postponed:
				postponed++
			case task.Done:
			default:
				lost = append(lost, r)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	db.Stop()
	for n := range tasks {
		if _, err := send.Enqueue(t.Context(), task.NewClient(all.Queue("work"), nil), n); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	until(t, "each task was postponed more often than it has attempts", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return postponed > 3*tasks
	})
	mu.Lock()
	if len(sent) > 0 {
		t.Errorf("sent without a ledger: %v", sent)
	}
	mu.Unlock()
	db.Start()
	until(t, "all is sent", func() bool {
		d, err := all.Describe(t.Context(), "work")
		if err != nil {
			t.Fatal(err)
		}
		return d.Visible+d.Delayed+d.InFlight == 0
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(sent) != tasks || len(lost) > 0 {
		t.Errorf("%d of %d were sent; other ends: %+v", len(sent), tasks, lost)
	}
	for n, times := range sent {
		if times != 1 {
			t.Errorf("%d was sent %d times", n, times)
		}
	}
	if d, err := all.Describe(t.Context(), "dead"); err != nil || d.Visible != 0 {
		t.Errorf("%d dead letters, %v", d.Visible, err)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(5 * time.Minute); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
