package schedule

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
	"github.com/dayfly-dev/dayfly/task"
)

// TestOverlap: with skip a tick is fired only when the task of the one before
// is done or dead, or was lost a day ago; with allow each is.
func TestOverlap(t *testing.T) {
	for _, tc := range []struct {
		what    string
		overlap Overlap
		run     func(tick int) error // 25 s after the start
		lost    bool                 // nothing runs
		span    time.Duration
		want    string // ticks fired, seconds from the first
	}{
		{"allow", OverlapAllow, func(int) error { return nil }, false, 65 * time.Second, "0s 10s 20s 30s 40s 50s 1m0s"},
		{"skip, done", OverlapSkip, func(int) error { return nil }, false, 95 * time.Second, "0s 30s 1m0s 1m30s"},
		{"skip, retried and then dead", OverlapSkip, func(int) error { return errors.New("failed") }, false, 95 * time.Second, "0s 1m0s"},
		{"skip, lost", OverlapSkip, nil, true, 25 * time.Hour, "0s 24h0m0s"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, store := jobs(t)
				slow := task.Define("slow", func(context.Context, struct{}) error { time.Sleep(25 * time.Second); return tc.run(0) })
				if !tc.lost {
					defer employ(t, s, store, slow)()
				}
				var mu sync.Mutex
				var first time.Time
				var seen []string
				into := Into(s, &task.ClientOptions{Records: store})
				_, stop := start(t, Options{
					Schedules: []Schedule{{Name: "s", Every: 10 * time.Second, Task: "slow", Queue: "jobs", Overlap: tc.overlap}},
					Ticks:     memory(t),
					Enqueue: func(ctx context.Context, f Firing) error {
						err := into(ctx, f)
						mu.Lock()
						defer mu.Unlock()
						switch {
						case err == nil && first.IsZero():
							first = f.Tick
							fallthrough
						case err == nil:
							seen = append(seen, f.Tick.Sub(first).String())
						case !errors.Is(err, ErrOverlap):
							t.Error(err)
						}
						return err
					},
				})
				time.Sleep(10*time.Second + tc.span)
				stop()
				if d := cmp.Diff(tc.want, strings.Join(seen, " ")); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// TestRunNowOverlaps: what somebody asks for is not skipped.
func TestRunNowOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, store := jobs(t)
		n, stop := start(t, Options{
			Schedules: []Schedule{{Name: "s", Every: time.Hour, Task: "slow", Queue: "jobs", Overlap: OverlapSkip}},
			Ticks:     memory(t), Enqueue: Into(s, &task.ClientOptions{Records: store}),
		})
		time.Sleep(2*time.Hour + time.Minute)
		if _, err := n.RunNow(t.Context(), "s"); err != nil {
			t.Error(err)
		}
		status := n.Status()[0]
		stop()
		if status.Err != nil || time.Since(status.Last) < time.Hour {
			t.Errorf("%+v: a skipped tick is no failure, and not the last one fired", status)
		}
		d, err := s.Queue("jobs").Describe(t.Context())
		if err != nil || d.Visible != 2 {
			t.Errorf("%d tasks, %v", d.Visible, err)
		}
	})
}

// jobs is a queue of that name with a store of records.
func jobs(t *testing.T) (*queue.Service, *records.Store) {
	t.Helper()
	e, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, store := queue.New(e), records.New(memrecords.New())
	t.Cleanup(func() { s.Close(); store.Close() })
	for name, a := range map[string]queue.Attributes{
		"jobs-dead": {}, "jobs": {DeadLetter: &queue.DeadLetter{Queue: "jobs-dead", MaxReceives: 2}},
	} {
		if err := s.CreateQueue(t.Context(), name, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	return s, store
}

// employ runs a worker of jobs until the returned function is called.
func employ(t *testing.T, s *queue.Service, store *records.Store, tasks ...task.Definition) (dismiss func()) {
	t.Helper()
	w, err := task.NewWorker(s.Queue("jobs"), task.WorkerOptions{Tasks: tasks, Records: store, Concurrency: 20,
		Backoff: task.Backoff{Max: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- w.Run(ctx) }()
	return func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	}
}
