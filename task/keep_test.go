package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	recordsdriver "github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// TestStatus: what is on record of a task from its first run to its end.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newRig(t, 3, nil), records.New(memrecords.New())
		sum := DefineResult("sum", func(ctx context.Context, n []int) (int, error) {
			time.Sleep(10 * time.Second)
			total := 0
			for _, x := range n {
				total += x
			}
			if i, _ := Info(ctx); total < 0 || i.Attempt == 1 {
				return 0, RetryAfter(errInjected, 10*time.Second)
			}
			return total, nil
		}, Keep(time.Hour))
		expect := func(id string, state State, attempt int) Status {
			t.Helper()
			st := must[Status](t)(StatusOf(t.Context(), s, id))
			if st.State != state || st.Attempt != attempt {
				t.Errorf("%s: %s in attempt %d, not %s in %d", id, st.State, st.Attempt, state, attempt)
			}
			return st
		}
		must[string](t)(sum.Enqueue(t.Context(), r.c, []int{1, 2, 4}, ID("a")))
		expect("a", Unseen, 0)
		stop := r.work(WorkerOptions{Tasks: []Definition{sum}, Records: s})
		time.Sleep(5 * time.Second)
		expect("a", Running, 1)
		time.Sleep(10 * time.Second)
		if st := expect("a", Waiting, 1); st.Error != "injected" || st.Task != "sum" || st.Queue != "default" {
			t.Errorf("%+v", st)
		}
		time.Sleep(10 * time.Second)
		expect("a", Running, 2)
		got, err := sum.Wait(t.Context(), s, "a")
		if err != nil || got != 7 {
			t.Error(got, err)
		}
		expect("a", Finished, 2)

		must[string](t)(sum.Enqueue(t.Context(), r.c, []int{-1}, ID("b")))
		_, err = sum.Wait(t.Context(), s, "b")
		if end, ok := errors.AsType[*EndError](err); !ok || end.Status.State != Failed || end.Status.Error != "injected" {
			t.Error(err)
		}
		expect("b", Failed, 3)

		must[string](t)(sum.Enqueue(t.Context(), r.c, []int{1}, ID("c")))
		time.Sleep(time.Second)
		must[Cancellation](t)(Cancel(t.Context(), s, "c"))
		time.Sleep(time.Minute)
		expect("c", WasCancelled, 1)
		if c := must[Cancellation](t)(Cancel(t.Context(), s, "a")); !c.Finished || c.Task != "sum" {
			t.Errorf("cancelled after its end: %+v", c)
		}
		r.stop(stop)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := Wait(ctx, s, "nobody"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
		expect("a", Unseen, 0) // it expired
	})
}

// counting counts the writes of a store.
type counting struct {
	recordsdriver.Store
	puts atomic.Int64
}

func (s *counting) Put(ctx context.Context, r records.Record) (string, error) {
	s.puts.Add(1)
	return s.Store.Put(ctx, r)
}

// TestProgress: however often it is told, about one record a second is written,
// and the last word is.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := &counting{Store: memrecords.New()}
		r, s := newRig(t, 3, nil), records.New(count)
		busy := Define("busy", func(ctx context.Context, _ int) error {
			for i := range 100_000 { // in ten seconds
				Progress(ctx, float64(i), fmt.Sprint(i, " rows"))
				time.Sleep(100 * time.Microsecond)
			}
			time.Sleep(5 * time.Second)
			Progress(ctx, 1, strings.Repeat("é", 1000))
			return nil
		}, Keep(time.Hour))
		stop := r.work(WorkerOptions{Tasks: []Definition{busy}, Records: s})
		must[string](t)(busy.Enqueue(t.Context(), r.c, 1, ID("a")))
		time.Sleep(5 * time.Second)
		st := must[Status](t)(StatusOf(t.Context(), s, "a"))
		if st.Done < 30_000 || st.Done > 50_000 || st.Text != fmt.Sprint(st.Done, " rows") {
			t.Errorf("after 5 of 10 s: %v, %s", st.Done, st.Text)
		}
		time.Sleep(7 * time.Second)
		if st := must[Status](t)(StatusOf(t.Context(), s, "a")); st.Done != 99_999 {
			t.Errorf("the last word before a silence is not on record, but %v", st.Done)
		}
		if _, err := Wait(t.Context(), s, "a"); err != nil {
			t.Error(err)
		}
		if n := count.puts.Load(); n > 16 {
			t.Errorf("%d writes in 15 s", n)
		}
		st = must[Status](t)(StatusOf(t.Context(), s, "a"))
		if st.Done != 1 || len(st.Text) != 1024 || st.State != Finished {
			t.Errorf("%v, %d bytes, %s", st.Done, len(st.Text), st.State)
		}
		r.stop(stop)
	})
}

// TestLateWriter: a run that lost its lease, and one of an older message, write
// nothing over a newer one; what is done stays done.
func TestLateWriter(t *testing.T) {
	s := records.New(memrecords.New())
	sh := &shift{o: WorkerOptions{Records: s}}
	at := time.Now()
	run := func(sent time.Duration, attempt int) *keeper {
		d := &delivery{msg: queue.Message{}, run: Run{ID: "a", Task: "t", Attempt: attempt}}
		d.msg.Sent = at.Add(sent)
		return sh.keeperOf(d, time.Hour)
	}
	begin := func(k *keeper, want error) {
		t.Helper()
		if err := k.begin(t.Context()); !errors.Is(err, want) {
			t.Errorf("begin: %v, not %v", err, want)
		}
	}
	expect := func(state State, attempt int) {
		t.Helper()
		if st := must[Status](t)(StatusOf(t.Context(), s, "a")); st.State != state || st.Attempt != attempt {
			t.Errorf("%s in attempt %d, not %s in %d", st.State, st.Attempt, state, attempt)
		}
	}
	first, second := run(0, 1), run(0, 2)
	begin(first, nil)
	begin(second, nil)
	if err := first.end(Failed, errInjected, nil); err != nil {
		t.Error(err)
	}
	expect(Running, 2)
	begin(run(0, 1), errSuperseded) // whose first word was under way for long
	if err := second.end(Failed, errInjected, nil); err != nil {
		t.Error(err)
	}
	expect(Failed, 2)
	redriven := run(time.Minute, 1)
	begin(redriven, nil)
	expect(Running, 1)
	if err := redriven.end(Finished, nil, json.RawMessage(`1`)); err != nil {
		t.Error(err)
	}
	begin(run(time.Hour, 9), errSuperseded)
	if err := second.end(Waiting, errInjected, nil); err != nil {
		t.Error(err)
	}
	expect(Finished, 1)
}

// TestResultNotLost: a success that cannot be recorded is no success.
func TestResultNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := &unwritable{Store: memrecords.New()}
		r, s := newRig(t, 5, nil), records.New(broken)
		var runs sync.Map
		task := DefineResult("t", func(ctx context.Context, _ int) (string, error) {
			i, _ := Info(ctx)
			runs.Store(i.Attempt, true)
			broken.fails.Store(i.Attempt == 1)
			return "x", nil
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{task}, Records: s})
		must[string](t)(task.Enqueue(t.Context(), r.c, 1, ID("a")))
		time.Sleep(30 * time.Second)
		broken.fails.Store(false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if x, err := task.Wait(ctx, s, "a"); x != "x" || err != nil {
			t.Error(x, err)
		}
		if _, again := runs.Load(2); !again {
			t.Error("the run whose result was not recorded counted as done")
		}
		r.stop(stop)
	})
}

func TestKeepNeedsRecords(t *testing.T) {
	r := newRig(t, 5, nil)
	kept := Define("t", func(context.Context, int) error { return nil }, Keep(time.Hour))
	if _, err := NewWorker(r.q, WorkerOptions{Tasks: []Definition{kept}}); !errors.Is(err, ErrNoRecords) {
		t.Error(err)
	}
	if err := SetResult(t.Context(), 1); !errors.Is(err, ErrNotKept) {
		t.Error(err)
	}
	Progress(t.Context(), 1, "outside of a run")
	for _, d := range []time.Duration{0, time.Second, 400 * 24 * time.Hour} {
		if err := Define("t", func(context.Context, int) error { return nil }, Keep(d)).err; err == nil {
			t.Errorf("Keep(%v) was taken", d)
		}
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"v":1,"state":"running","task":"t","at":"2026-11-21T00:00:00Z"}`))
	f.Add([]byte(`{"v":1,"at":"x"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := decodeEntry(records.Record{Key: "task/status/a", Value: value})
		if err == nil {
			e.status("a")
		}
		_, _ = decodeOrder(records.Record{Key: "task/cancel/a", Value: value})
		_, _ = decodeHead(records.Record{Key: "task/batch/a", Value: value})
		_, _ = decodeShard(records.Record{Key: "task/batch/a/0", Value: value}, 10)
		_, _ = decodeRuns(records.Record{Key: "task/runs/default/a", Value: value})
	})
}
