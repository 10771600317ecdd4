package tasktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/tasktest"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// story is what became of runs, one word each.
func story(results []task.Result) string {
	var all []string
	for _, r := range results {
		all = append(all, fmt.Sprintf("%s#%d:%s", r.Run.ID, r.Run.Attempt, r.Outcome))
	}
	return strings.Join(all, " ")
}

// TestAsInProduction: JSON round trip, unknown tasks, arguments that do not fit,
// panics, permanent errors, attempts of a task's own.
func TestAsInProduction(t *testing.T) {
	type args struct {
		N    int
		kept string
	}
	var got []args
	ok := task.Define("ok", func(_ context.Context, a args) error { got = append(got, a); return nil })
	number := task.Define("number", func(context.Context, int) error { return nil })
	panics := task.Define("panics", func(context.Context, int) error { panic("oh") }, task.Attempts(1))
	exits := task.Define("exits", func(context.Context, int) error { runtime.Goexit(); return nil }, task.Attempts(1))
	never := task.Define("never", func(context.Context, int) error { return task.Permanent(errors.New("no such user")) })
	unknown := task.Define("unknown", func(context.Context, int) error { return nil })
	q := tasktest.Options{Tasks: []task.Definition{ok, number, panics, exits, never}, Attempts: 2}.New(t)
	ctx, c := t.Context(), q.Client()
	must[string](t)(ok.Enqueue(ctx, c, args{7, "not JSON's"}, task.ID("a")))
	must[string](t)(task.EnqueueNamed(ctx, c, "number", json.RawMessage(`"text"`), task.ID("b")))
	must[string](t)(panics.Enqueue(ctx, c, 1, task.ID("c")))
	must[string](t)(exits.Enqueue(ctx, c, 1, task.ID("d")))
	must[string](t)(never.Enqueue(ctx, c, 1, task.ID("e")))
	must[string](t)(unknown.Enqueue(ctx, c, 1, task.ID("f")))
	results := strings.Fields(story(q.Drain()))
	slices.Sort(results)
	want := "a#1:done b#1:retried b#2:dead c#1:dead d#1:dead e#1:dead f#1:retried f#2:dead"
	if diff := cmp.Diff(want, strings.Join(results, " ")); diff != "" {
		t.Error(diff)
	}
	if len(got) != 1 || got[0] != (args{N: 7}) {
		t.Errorf("ran with %+v", got)
	}
	why := map[string]string{"b": "arguments of number", "c": "panic: oh", "d": "exited", "e": "no such user", "f": `unknown task "unknown"`}
	for _, l := range q.Dead() {
		if !strings.Contains(l.Error, why[l.ID]) || why[l.ID] == "" || (l.ID == "c") != (l.Stack != "") {
			t.Errorf("%+v", l)
		}
		delete(why, l.ID)
	}
	if len(why) > 0 || q.Waiting() != 0 {
		t.Errorf("not dead: %v; %d wait", why, q.Waiting())
	}
}

// TestLongDelays: a delay above the queue's 15 minutes, through which a worker
// has to put the message back, ends to the second whatever the clock did before.
func TestLongDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the real clock stands still
		var again func(context.Context) error
		tick := task.Define("tick", func(ctx context.Context, n int) error {
			if n == 0 {
				return nil
			}
			return again(ctx)
		})
		q := tasktest.New(t, tick)
		again = func(ctx context.Context) error {
			_, err := tick.Enqueue(ctx, q.Client(), 0, task.Delay(100*time.Hour))
			return err
		}
		begun := q.Now()
		must[string](t)(tick.Enqueue(t.Context(), q.Client(), 1, task.Delay(50*time.Hour)))
		q.Advance(50*time.Hour - time.Second)
		if got := q.Run(); len(got) != 0 {
			t.Errorf("ran a second early: %v", story(got))
		}
		q.Drain()
		if d := q.Now().Sub(begun); d < 150*time.Hour || d > 150*time.Hour+2*time.Second {
			t.Errorf("150 hours took %v", d)
		}
		if got := len(q.Results()); got != 2 {
			t.Errorf("%d runs", got)
		}
		delays := []time.Duration{}
		for _, c := range tasktest.Calls(q, tick) {
			delays = append(delays, c.Delay)
		}
		if diff := cmp.Diff([]time.Duration{50 * time.Hour, 100 * time.Hour}, delays); diff != "" {
			t.Error(diff)
		}
	})
}

// TestFIFO: a group waits for its first, others do not, duplicates are dropped.
func TestFIFO(t *testing.T) {
	failed := false
	var order []string
	step := task.Define("step", func(ctx context.Context, _ int) error {
		run, _ := task.Info(ctx)
		if run.ID == "a1" && !failed {
			failed = true
			return task.RetryAfter(errors.New("not yet"), time.Minute)
		}
		order = append(order, run.ID)
		return nil
	})
	q := tasktest.Options{Name: "orders.fifo", Tasks: []task.Definition{step}}.New(t)
	for _, id := range []string{"a1", "a2", "b1", "a2", "a3"} {
		must[string](t)(step.Enqueue(t.Context(), q.Client(), 1, task.ID(id), task.Group(id[:1])))
	}
	q.Run()
	if got := strings.Join(order, " "); got != "b1" {
		t.Errorf("ran %s while a1 waits", got)
	}
	q.Advance(time.Minute)
	q.Run()
	if got := strings.Join(order, " "); got != "b1 a1 a2 a3" {
		t.Errorf("ran %s", got)
	}
	if _, err := step.Enqueue(t.Context(), q.Client(), 1, task.Delay(time.Second)); err == nil {
		t.Error("a FIFO queue took a delay")
	}
}

// TestClock: what is kept on record ends by the queue's clock: windows of unique
// keys, and results.
func TestClock(t *testing.T) {
	ran := 0
	sum := task.DefineResult("sum", func(_ context.Context, n int) (int, error) { ran++; return n + 1, nil }, task.Keep(time.Hour))
	q := tasktest.New(t, sum)
	enqueue := func() (string, error) {
		return sum.Enqueue(t.Context(), q.Client(), 7, task.Unique("", time.Hour))
	}
	first := must[string](t)(enqueue())
	if id, err := enqueue(); id != first || !errors.Is(err, task.ErrDuplicate) {
		t.Errorf("at once: %q, %v", id, err)
	}
	q.Run()
	q.Advance(59 * time.Minute)
	if id, err := enqueue(); id != first || !errors.Is(err, task.ErrDuplicate) {
		t.Errorf("after 59 minutes: %q, %v", id, err)
	}
	if got := must[int](t)(sum.Wait(t.Context(), q.Records(), first)); got != 8 {
		t.Errorf("after 59 minutes the result is %d", got)
	}
	q.Advance(time.Minute + time.Second)
	second := must[string](t)(enqueue())
	if st := must[task.Status](t)(task.StatusOf(t.Context(), q.Records(), first)); second == first || st.State != task.Unseen {
		t.Errorf("after an hour: %q, %+v", second, st)
	}
	if q.Run(); ran != 2 {
		t.Errorf("%d runs", ran)
	}
	q.Advance(59 * time.Minute)
	if id, err := enqueue(); id != second || !errors.Is(err, task.ErrDuplicate) {
		t.Errorf("59 minutes after the second: %q, %v", id, err)
	}
}

// TestClockOrders: a queue that is paused stays so, whatever the clock; an order
// to cancel ends by it.
func TestClockOrders(t *testing.T) {
	done := task.Define("done", func(context.Context, int) error { return nil })
	q := tasktest.New(t, done)
	must[task.Cancellation](t)(task.Cancel(t.Context(), q.Records(), "a"))
	if _, _, err := task.Pause(t.Context(), q.Records(), "other"); err != nil {
		t.Fatal(err)
	}
	q.Advance(15 * 24 * time.Hour)
	must[string](t)(done.Enqueue(t.Context(), q.Client(), 1, task.ID("a")))
	if got := story(q.Run()); got != "a#1:done" {
		t.Errorf("after the order to cancel it expired: %q", got)
	}
	if all := must[[]task.Paused](t)(task.Pauses(t.Context(), q.Records())); len(all) != 1 {
		t.Errorf("paused: %+v", all)
	}
}

// TestInline: what is due runs before Enqueue returns, with all that follows.
func TestInline(t *testing.T) {
	var q *tasktest.Queue
	var ran []int
	var count *task.Task[int]
	count = task.Define("count", func(ctx context.Context, n int) error {
		ran = append(ran, n)
		if n == 0 {
			return nil
		}
		_, err := count.Enqueue(ctx, q.Client(), n-1)
		return err
	})
	q = tasktest.Options{Tasks: []task.Definition{count}, Inline: true}.New(t)
	must[string](t)(count.Enqueue(t.Context(), q.Client(), 3))
	must[string](t)(count.Enqueue(t.Context(), q.Client(), 0, task.Delay(time.Minute)))
	if diff := cmp.Diff([]int{3, 2, 1, 0}, ran); diff != "" {
		t.Error(diff)
	}
}

// failing takes down what a test was failed with.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// TestFailures: what is wrong fails the user's test and says what there is.
func TestFailures(t *testing.T) {
	other := task.Define("other", func(context.Context, int) error { return nil })
	var forever *task.Task[int]
	for name, c := range map[string]struct {
		do   func(*failing, *tasktest.Queue)
		want string
	}{
		"none": {func(_ *failing, q *tasktest.Queue) { tasktest.One(q, other) }, "other was enqueued 0 times, not once; enqueued were: forever 1"},
		"wrong type": {func(_ *failing, q *tasktest.Queue) {
			tasktest.Calls(q, task.Define("forever", func(context.Context, []string) error { return nil }))
		}, "arguments 1 of forever"},
		"without end":  {func(_ *failing, q *tasktest.Queue) { q.Drain() }, "10,000 runs, and tasks still wait"},
		"back in time": {func(_ *failing, q *tasktest.Queue) { q.Advance(-1) }, "forward only"},
		"bad options":  {func(f *failing, _ *tasktest.Queue) { tasktest.Options{Attempts: 1001}.New(f) }, "tasktest: queue: "},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				var q *tasktest.Queue
				forever = task.Define("forever", func(ctx context.Context, n int) error {
					_, err := forever.Enqueue(ctx, q.Client(), n, task.Delay(time.Minute))
					return err
				})
				q = tasktest.New(f, forever)
				must[string](t)(forever.Enqueue(t.Context(), q.Client(), 1))
				c.do(f, q)
			}()
			<-done
			if !strings.Contains(f.said, c.want) {
				t.Errorf("said %q, not %q", f.said, c.want)
			}
		})
	}
}
