package task

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// What is due further away than a duration reaches, 292 years, waits like any
// other: it is no attempt, and no error.
func TestFarAway(t *testing.T) {
	far := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, nil)
		task := Define("t", func(_ context.Context, _ int) error { return nil })
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, At(far)))
		body := []byte(`{"specversion":"1.0","id":"a","source":"elsewhere","type":"t","notbefore":"9999-12-31T23:59:59Z"}`)
		if _, err := r.q.Send(t.Context(), queue.Outgoing{Body: string(body), Delay: -1}); err != nil {
			t.Fatal(err)
		}
		stop := r.work(WorkerOptions{Tasks: []Definition{task}})
		time.Sleep(2*time.Hour + time.Minute)
		r.stop(stop)
		r.expect("default", "0 2 0")
		r.expect("default-dead", "0 0 0")
		if got := r.results(); len(got) > 0 {
			t.Errorf("results %v", got)
		}
	})
	if d := pauseUntil(far); d != maxVisibility {
		t.Errorf("somebody works until 9999: the task comes again in %v, want %v", d, maxVisibility)
	}
}
