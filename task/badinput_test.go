package task

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// TestShapes: arguments of an older or a newer version run as far as they fit:
// what is missing is zero, what is new is ignored, what is of another type is an
// error of the arguments.
func TestShapes(t *testing.T) {
	for text, want := range map[string]string{
		`{"To":"ann","N":1}`:                "ann 1 done",
		`{"To":"ann"}`:                      "ann 0 done",
		`{}`:                                " 0 done",
		`null`:                              " 0 done",
		`{"To":"ann","N":1,"Cc":["b","c"]}`: "ann 1 done",
		`{"To":["ann"],"N":1}`:              "dead",
		`{"To":"ann","N":"1"}`:              "dead",
		`[]`:                                "dead",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 2, nil)
			got := ""
			def := Define("t", func(_ context.Context, a mailArgs) error { got = fmt.Sprint(a.To, " ", a.N, " "); return nil })
			must[string](t)(EnqueueNamed(t.Context(), r.c, "t", json.RawMessage(text)))
			stop := r.work(WorkerOptions{Tasks: []Definition{def}, OnResult: func(x Result) {
				if x.Outcome != Retried {
					got += string(x.Outcome)
				}
			}})
			time.Sleep(time.Minute)
			r.stop(stop)
			if got != want {
				t.Errorf("%s: %q, not %q", text, got, want)
			}
		})
	}
}

// TestBadInGroup: tasks that panic, exit, never return, leave goroutines behind
// or are none at all hold up neither their group, nor its order.
func TestBadInGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newFIFO(t, 2)
		end := make(chan struct{})
		j := newSteps()
		step := Define("step", func(ctx context.Context, kind string) error {
			info, _ := Info(ctx)
			j.begin("g", fmt.Sprint(kind, info.Attempt))
			switch kind {
			case "panic":
				panic("failed")
			case "exit":
				runtime.Goexit()
			case "stuck":
				<-end
			case "leak":
				go func() { <-end }() // ends with the test
			}
			return nil
		}, Timeout(10*time.Second))
		for _, kind := range []string{"panic", "exit", "stuck", "leak"} {
			must[string](t)(step.Enqueue(t.Context(), r.c, kind, Group("g")))
		}
		must[[]queue.Sent](t)(r.q.Send(t.Context(), queue.Outgoing{Body: "<xml/>", Delay: -1, GroupID: "g", DedupID: "x"}))
		must[string](t)(step.Enqueue(t.Context(), r.c, "good", Group("g")))
		stop := r.work(WorkerOptions{Tasks: []Definition{step}, Concurrency: 10})
		time.Sleep(10 * time.Minute)
		r.stop(stop)
		close(end)
		if d := cmp.Diff([]string{"panic1", "panic2", "exit1", "exit2", "stuck1", "stuck2", "leak1", "good1"}, j.of("g")); d != "" {
			t.Error(d)
		}
		r.expect("orders.fifo", "0 0 0")
		r.expect("orders-dead.fifo", "4 0 0")
	})
}
