package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// TestAny: a worker with Any runs what it has no definition of, and knows the
// whole event.
func TestAny(t *testing.T) {
	r := newRig(t, 3, nil)
	ran := make(chan string, 2)
	own := Define("own", func(ctx context.Context, a mailArgs) error { ran <- "own " + a.To; return nil })
	stop := r.work(WorkerOptions{Tasks: []Definition{own, Any(func(ctx context.Context, e *Event) error {
		info, _ := Info(ctx)
		ran <- fmt.Sprint("any ", e.Type, " ", string(e.Data), " ", e.Extensions["oncekey"], " ", info.Attempt)
		return nil
	})}})
	must[string](t)(own.Enqueue(t.Context(), r.c, mailArgs{To: "x"}))
	first := <-ran
	body := must[string](t)((&Event{ID: "1", Source: "s", Type: "foreign", Data: []byte(`[1]`), Extensions: map[string]string{"oncekey": "k"}}).Encode())
	must[[]queue.Sent](t)(r.q.Send(t.Context(), queue.Outgoing{Body: body, Delay: -1}))
	second := <-ran
	r.stop(stop)
	if d := cmp.Diff([]string{"own x", "any foreign [1] k 1"}, []string{first, second}); d != "" {
		t.Error(d)
	}
	for what, tasks := range map[string][]Definition{
		"no function": {Any(nil)},
		"named *":     {Any(func(context.Context, *Event) error { return nil }), Any(func(context.Context, *Event) error { return nil })},
		"attempts":    {Any(func(context.Context, *Event) error { return nil }, Attempts(0))},
	} {
		if _, err := NewWorker(r.q, WorkerOptions{Tasks: tasks}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestPostpone: a task may be postponed more often than it has attempts, and
// the attempts that failed are counted across.
func TestPostpone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3, nil)
		var attempts []int
		var begun []time.Duration
		start, runs := time.Now(), 0
		def := Define("t", func(ctx context.Context, _ mailArgs) error {
			info, _ := Info(ctx)
			attempts = append(attempts, info.Attempt)
			begun = append(begun, time.Since(start).Round(time.Second))
			if runs++; runs%2 == 0 {
				return errors.New("failed")
			}
			return Postpone(errors.New("not now"), 1500*time.Millisecond)
		})
		stop := r.work(WorkerOptions{Tasks: []Definition{def}, Backoff: Backoff{Min: time.Second, Max: time.Second, Floor: time.Second}})
		must[string](t)(def.Enqueue(t.Context(), r.c, mailArgs{}, ID("1")))
		time.Sleep(time.Minute)
		r.stop(stop)
		if d := cmp.Diff([]int{1, 1, 2, 2, 3, 3}, attempts); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]time.Duration{0, 2 * time.Second, 3 * time.Second, 5 * time.Second, 6 * time.Second, 8 * time.Second}, begun); d != "" {
			t.Error(d)
		}
		letters := r.letters()
		if len(letters) != 1 || letters[0].Attributes[AttributeAttempts].String != "3" {
			t.Fatalf("%+v", letters)
		}
		if _, ok := letters[0].Attributes[AttributeFailures]; ok {
			t.Error("a dead letter that is redriven would have its attempts used up")
		}
		r.expect("default", "0 0 0")
	})
}

// TestPostponeFull: without room for the count the task is postponed all the same.
func TestPostponeFull(t *testing.T) {
	full := map[string]queue.Attribute{}
	for i := range maxAttributes {
		full[fmt.Sprint("a", i)] = queue.Attribute{DataType: "String", String: "x"}
	}
	if got := withFailures(full, 2); len(got) != maxAttributes {
		t.Errorf("%d attributes", len(got))
	}
	for text, want := range map[string]int{"2": 2, "-1": 0, "1001": 0, "x": 0, "": 0} {
		m := queue.Message{Attributes: map[string]queue.Attribute{AttributeFailures: {DataType: "Number", String: text}}}
		if got := earlierFailures(m); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}
