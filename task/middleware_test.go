package task

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// layer of middleware, by whose name it leaves a value in the context.
type layer string

// TestMiddleware: the first is outermost, on both sides; what it changes is
// what travels and what is run, and it sees a panic as an error.
func TestMiddleware(t *testing.T) {
	r := newRig(t, 1, nil)
	var mu sync.Mutex
	var seen []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, s)
	}
	enqueuer := func(name string) func(Enqueuer) Enqueuer {
		return func(next Enqueuer) Enqueuer {
			return func(ctx context.Context, e *Enqueuing) error {
				note(name + " enqueues into " + e.Queue)
				for _, event := range e.Events {
					event.Extensions = map[string]string{"by": event.Extensions["by"] + name}
				}
				return next(ctx, e)
			}
		}
	}
	handler := func(name string) func(Handler) Handler {
		return func(next Handler) Handler {
			return func(ctx context.Context, e *Event) error {
				run, _ := Info(ctx)
				err := next(context.WithValue(ctx, layer(name), run.ID), e)
				p, panicked := errors.AsType[*PanicError](err)
				if panicked && strings.Contains(string(p.Stack), "TestMiddleware") {
					note(name + " saw the panic of " + run.Task)
				}
				if panicked {
					return nil // a middleware may decide otherwise
				}
				return err
			}
		}
	}
	type in struct{ N int }
	boom := Define("boom", func(ctx context.Context, a in) error {
		note(ctx.Value(layer("outer")).(string) + ctx.Value(layer("inner")).(string))
		panic("boom")
	})
	client := NewClient(r.q, &ClientOptions{Middleware: []func(Enqueuer) Enqueuer{enqueuer("outer"), enqueuer("inner")}})
	if _, err := boom.Enqueue(t.Context(), client, in{1}, ID("x")); err != nil {
		t.Fatal(err)
	}
	body := must[[]queue.Browsed](t)(r.s.Browse(t.Context(), "default", "", 1))[0].Body
	if e := must[*Event](t)(Decode(body)); e.Extensions["by"] != "outerinner" {
		t.Errorf("the message is %s", body)
	}
	ended := make(chan Result, 1)
	stop := r.work(WorkerOptions{Tasks: []Definition{boom}, Middleware: []func(Handler) Handler{handler("outer"), handler("inner")},
		OnResult: func(x Result) { ended <- x }})
	got := <-ended
	r.stop(stop)
	want := []string{"outer enqueues into default", "inner enqueues into default", "xx", "inner saw the panic of boom"}
	if d := cmp.Diff(want, seen); d != "" {
		t.Error(d)
	}
	if got.Outcome != Done || got.Err != nil {
		t.Errorf("the run is %s: %v", got.Outcome, got.Err)
	}
}

// TestEnqueueRefused: what a middleware refuses is not stored, and no id of it
// is returned.
func TestEnqueueRefused(t *testing.T) {
	r := newRig(t, 1, nil)
	no := errors.New("no")
	client := NewClient(r.q, &ClientOptions{Middleware: []func(Enqueuer) Enqueuer{func(Enqueuer) Enqueuer {
		return func(context.Context, *Enqueuing) error { return no }
	}}})
	noop := Define("noop", func(context.Context, int) error { return nil })
	if id, err := noop.Enqueue(t.Context(), client, 1); id != "" || !errors.Is(err, no) {
		t.Errorf("enqueue: %q, %v", id, err)
	}
	ids, err := noop.EnqueueMany(t.Context(), client, []int{1, 2, 3})
	if !errors.Is(err, no) || !slices.Equal(ids, []string{"", "", ""}) {
		t.Errorf("in bulk: %q, %v", ids, err)
	}
	if got := must[queue.Description](t)(r.q.Describe(t.Context())); got.Visible != 0 {
		t.Errorf("%d messages are stored", got.Visible)
	}
}

// TestLog: what handlers and the worker log says which run it is, and neither
// has the arguments.
func TestLog(t *testing.T) {
	r := newRig(t, 1, nil)
	var out bytes.Buffer // slog's handlers write a line at a time
	log := slog.New(slog.NewJSONHandler(&out, nil))
	failing := Define("failing", func(ctx context.Context, _ string) error {
		Log(ctx).Info("at work", "more", 1)
		return errors.New("no")
	})
	const trace = "0af7651916cd43dd8448eb211c80319c"
	client := NewClient(r.q, &ClientOptions{Traceparent: func(context.Context) string { return "00-" + trace + "-b7ad6b7169203331-01" }})
	if _, err := failing.Enqueue(t.Context(), client, "a secret", ID("x")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan Result, 1)
	stop := r.work(WorkerOptions{Tasks: []Definition{failing}, Log: log, OnResult: func(x Result) { ended <- x }})
	<-ended
	r.stop(stop)
	if strings.Contains(out.String(), "secret") {
		t.Errorf("the arguments are in the log:\n%s", &out)
	}
	messages := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		messages[got["msg"].(string)] = true
		for k, want := range map[string]any{"queue": "default", "task": "failing", "id": "x", "attempt": 1.0, "trace_id": trace} {
			if got[k] != want {
				t.Errorf("%s is %v, not %v, in %s", k, got[k], want, line)
			}
		}
	}
	if !messages["at work"] || !messages["task failed for good and is dead-lettered"] {
		t.Errorf("logged were %v", messages)
	}
	if Log(t.Context()) != slog.Default() {
		t.Error("outside of a run it is not the default logger")
	}
}

func TestTraceID(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, c := range []struct {
		parent string
		ok     bool
	}{
		{"00-" + id + "-" + span + "-01", true},
		{"00-" + id + "-" + span + "-ff", true},
		{"01-" + id + "-" + span + "-01-more", true}, // of a version to come
		{"00-" + id + "-" + span + "-01-more", false},
		{"01-" + id + "-" + span + "-01more", false},
		{"ff-" + id + "-" + span + "-01", false},
		{"00-" + strings.ToUpper(id) + "-" + span + "-01", false},
		{"00-" + strings.Repeat("0", 32) + "-" + span + "-01", false},
		{"00-" + id + "-" + strings.Repeat("0", 16) + "-01", false},
		{"00-" + id + "-" + span + "-0", false},
		{"00_" + id + "_" + span + "_01", false},
		{"00-0af7-b7ad-01", false},
		{"", false},
	} {
		got := traceID(c.parent)
		if c.ok && got != id || !c.ok && got != "" {
			t.Errorf("of %q it is %q", c.parent, got)
		}
	}
}

func FuzzTraceID(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1")
	f.Fuzz(func(t *testing.T, parent, state string) {
		if id := traceID(parent); id != "" && (len(id) != 32 || !strings.Contains(parent, id)) {
			t.Errorf("%q of %q", id, parent)
		}
		p, s := plainTrace(parent, state)
		e := Event{ID: "1", Source: "s", Type: "t", Traceparent: p, Tracestate: s}
		body, err := e.Encode()
		if err != nil {
			t.Fatalf("%q %q: %v", p, s, err)
		}
		back, err := Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&e, back); d != "" {
			t.Error(d)
		}
	})
}
