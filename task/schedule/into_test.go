package schedule

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/task"
)

// TestInto follows a tick into a queue and through a worker.
func TestInto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := diskqueue.Open(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := queue.New(e)
		defer s.Close()
		for name, a := range map[string]queue.Attributes{
			"jobs-dead": {}, "jobs": {DeadLetter: &queue.DeadLetter{Queue: "jobs-dead", MaxReceives: 3}},
		} {
			if err := s.CreateQueue(t.Context(), name, a, nil); err != nil {
				t.Fatal(err)
			}
		}
		type args struct{ Day string }
		ran := make(chan string, 10)
		digest := task.Define("digest", func(ctx context.Context, a args) error {
			i, _ := task.Info(ctx)
			ran <- i.ID + " " + a.Day
			return nil
		})
		w, err := task.NewWorker(s.Queue("jobs"), task.WorkerOptions{Tasks: []task.Definition{digest}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan error, 1)
		go func() { stopped <- w.Run(ctx) }()
		scheduler, stop := start(t, Options{
			Schedules: []Schedule{{Name: "d", Cron: "30 4 * * *", Timezone: "Europe/Sofia", Task: "digest", Queue: "jobs", Args: []byte(`{"Day":"x"}`)}},
			Ticks:     folder(t), Enqueue: Into(s, nil),
		})
		time.Sleep(49 * time.Hour) // from midnight UTC
		id, err := scheduler.RunNow(t.Context(), "d")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"d@2000-01-01T02:30:00Z x", "d@2000-01-02T02:30:00Z x", id + " x"} {
			if d := cmp.Diff(want, <-ran); d != "" {
				t.Error(d)
			}
		}
		stop()
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if n := len(ran); n > 0 {
			t.Errorf("%d ran besides", n)
		}
	})
}
