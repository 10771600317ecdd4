package task

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// TestRuns: a worker says what it runs as long as it is asked, at no time else,
// and takes it back when it ends.
func TestRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 3, nil), records.New(memrecords.New())
		r.c = NewClient(r.q, &ClientOptions{Records: s})
		slow := Define("import", func(ctx context.Context, n int) error {
			Progress(ctx, float64(n), "rows")
			<-ctx.Done()
			time.Sleep(5 * time.Second) // it takes a while to end
			return ctx.Err()
		}, Keep(time.Hour))
		stop := r.work(WorkerOptions{Tasks: []Definition{slow}, Records: s})
		began := time.Now()
		must[string](t)(slow.Enqueue(t.Context(), r.c, 7, ID("a"), UniqueUntilDone("shop-17", time.Hour)))
		time.Sleep(10 * time.Second)
		if said, _, err := s.List(t.Context(), runsMark, "", 10); err != nil || len(said) > 0 {
			t.Fatalf("said %v without being asked: %v", said, err)
		}
		if all, err := Runs(t.Context(), s, "default"); err != nil || len(all) > 0 {
			t.Fatal(all, err)
		}
		time.Sleep(2 * time.Second)
		all := must[[]WorkerRuns](t)(Runs(t.Context(), s, "default"))
		if len(all) != 1 || all[0].Total != 1 || len(all[0].Runs) != 1 || all[0].PID != os.Getpid() {
			t.Fatalf("%+v", all)
		}
		got := all[0].Runs[0]
		if d := got.Began.Sub(began); d < 0 || d > time.Second || !all[0].Oldest.Equal(got.Began) {
			t.Errorf("began %v after it was enqueued; the oldest at %v", d, all[0].Oldest)
		}
		got.Began = time.Time{}
		if want := (RunStatus{ID: "a", Task: "import", Key: "shop-17", Attempt: 1, Done: 7, Text: "rows"}); got != want {
			t.Errorf("said %+v, want %+v", got, want)
		}
		if other, err := Runs(t.Context(), s, "other"); err != nil || len(other) > 0 {
			t.Error("runs of another queue:", other, err)
		}

		must[Cancellation](t)(Cancel(t.Context(), s, "a"))
		time.Sleep(2500 * time.Millisecond)
		if all := must[[]WorkerRuns](t)(Runs(t.Context(), s, "default")); len(all) != 1 || len(all[0].Runs) != 1 || all[0].Runs[0].Ending != ErrCancelled.Error() {
			t.Errorf("of one that is ending: %+v", all)
		}
		time.Sleep(6 * time.Second)
		if all := must[[]WorkerRuns](t)(Runs(t.Context(), s, "default")); len(all) != 1 || all[0].Total != 0 || !all[0].Oldest.IsZero() {
			t.Errorf("of none: %+v", all)
		}
		time.Sleep(lookFor + runsLast + time.Second) // nobody asks any more
		if said, _, err := s.List(t.Context(), runsMark, "", 10); err != nil || len(said) > 0 {
			t.Errorf("still said: %v %v", said, err)
		}
		_ = must[[]WorkerRuns](t)(Runs(t.Context(), s, "default"))
		time.Sleep(2 * time.Second)
		r.stop(stop)
		if all := must[[]WorkerRuns](t)(Runs(t.Context(), s, "default")); len(all) > 0 {
			t.Errorf("a worker that ended still says %+v", all)
		}
	})
}

// TestRunsOfMany: of a thousand the newest are named, and all are counted.
func TestRunsOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 3, nil), records.New(memrecords.New())
		const n = 1000
		slow := Define("slow", func(ctx context.Context, i int) error {
			<-ctx.Done()
			return ctx.Err()
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{slow}, Concurrency: n, Records: s, DrainTimeout: time.Millisecond})
		for i := range n {
			must[string](t)(slow.Enqueue(t.Context(), r.c, i, ID(fmt.Sprintf("%s-%d", strings.Repeat("<", 200), i))))
			if i == n-11 {
				time.Sleep(time.Minute) // ten are newer
			}
		}
		time.Sleep(5 * time.Second)
		_ = must[[]WorkerRuns](t)(Runs(t.Context(), s, "default"))
		time.Sleep(2 * time.Second)
		all := must[[]WorkerRuns](t)(Runs(t.Context(), s, "default"))
		if len(all) != 1 || all[0].Total != n || len(all[0].Runs) != MaxRuns {
			t.Fatalf("%d runs are told, %d named", all[0].Total, len(all[0].Runs))
		}
		for i, x := range all[0].Runs {
			if newer := time.Since(x.Began) < 30*time.Second; newer != (i < 10) {
				t.Errorf("run %d began %v ago", i, time.Since(x.Began))
			}
		}
		if time.Since(all[0].Oldest) < time.Minute {
			t.Errorf("the oldest began %v ago", time.Since(all[0].Oldest))
		}
		r.stop(stop)
	})
}
