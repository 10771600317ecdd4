package taskotel_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/taskotel"
)

// TestOneTrace: from a browser's request through two tasks, the second enqueued
// by the first, tracestate included.
func TestOneTrace(t *testing.T) {
	r := newRig(t)
	tel := r.telemetry(taskotel.Options{})
	client := task.NewClient(r.q, tel.Client(nil))
	second := task.Define("second", func(context.Context, int) error { return nil })
	var state string
	first := task.Define("first", func(ctx context.Context, n int) error {
		run, _ := task.Info(ctx)
		state = run.Tracestate
		_, err := second.Enqueue(ctx, client, n, task.ID("the second"))
		return err
	})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		ctx := propagation.TraceContext{}.Extract(q.Context(), propagation.HeaderCarrier(q.Header))
		ctx, span := r.traces.Tracer("site").Start(ctx, "POST /orders", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		if _, err := first.Enqueue(ctx, client, 1, task.ID("the first")); err != nil {
			t.Error(err)
		}
	}))
	defer site.Close()
	q, _ := http.NewRequest("POST", site.URL, nil)
	q.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	q.Header.Set("Tracestate", "vendor=a:b,other=1")
	if _, err := http.DefaultClient.Do(q); err != nil {
		t.Fatal(err)
	}
	r.work(tel, 2, first, second)

	chain := []string{"POST /orders", "enqueue first", "run first", "enqueue second", "run second"}
	before := r.named(chain[0], 1)[0]
	if id := before.SpanContext.TraceID().String(); id != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the request's trace is %s", id)
	}
	for _, name := range chain[1:] {
		s := r.named(name, 1)[0]
		if !isChild(s, before) {
			t.Errorf("%q is no child of %q", name, before.Name)
		}
		if got := s.SpanContext.TraceState().String(); got != "vendor=a:b,other=1" {
			t.Errorf("%q has tracestate %q", name, got)
		}
		before = s
	}
	if state != "vendor=a:b,other=1" {
		t.Errorf("the run has tracestate %q", state)
	}

	sent, ran := r.named("enqueue first", 1)[0], r.named("run first", 1)[0]
	if sent.SpanKind != trace.SpanKindProducer || ran.SpanKind != trace.SpanKindConsumer {
		t.Errorf("kinds are %v and %v", sent.SpanKind, ran.SpanKind)
	}
	want := map[attribute.Key]any{"messaging.system": "aws_sqs", "messaging.destination.name": "work", "messaging.operation.name": "enqueue",
		"messaging.operation.type": "send", "messaging.message.id": "the first", "dayfly.task.name": "first"}
	if d := cmp.Diff(want, attributes(sent)); d != "" {
		t.Error("enqueue:", d)
	}
	want["messaging.operation.name"], want["messaging.operation.type"], want["dayfly.task.attempt"] = "run", "process", int64(1)
	if d := cmp.Diff(want, attributes(ran)); d != "" {
		t.Error("run:", d)
	}
	if len(ran.Links) != 1 || !ran.Links[0].SpanContext.Equal(remote(sent)) {
		t.Errorf("the run links to %v, not to the enqueue", ran.Links)
	}
}

// TestRetries: the runs of one task are siblings, and say why they failed.
func TestRetries(t *testing.T) {
	r := newRig(t)
	tel := r.telemetry(taskotel.Options{})
	flaky := task.Define("flaky", func(ctx context.Context, _ int) error {
		switch run, _ := task.Info(ctx); run.Attempt {
		case 1:
			return fmt.Errorf("calling out: %w", task.RetryAfter(&http.MaxBytesError{Limit: 7}, 0))
		case 2:
			panic("boom")
		}
		return nil
	})
	if _, err := flaky.Enqueue(t.Context(), task.NewClient(r.q, tel.Client(nil)), 1); err != nil {
		t.Fatal(err)
	}
	r.work(tel, 3, flaky)
	sent, runs := r.named("enqueue flaky", 1)[0], r.named("run flaky", 3)
	for i, s := range runs {
		if !isChild(s, sent) {
			t.Errorf("run %d is no child of the enqueue", i+1)
		}
		if got := attributes(s)["dayfly.task.attempt"]; got != int64(i+1) {
			t.Errorf("run %d has attempt %v", i+1, got)
		}
	}
	for i, want := range []struct{ kind, message, stack string }{
		{"*http.MaxBytesError", "calling out: http: request body too large", ""},
		{"panic", "task: panic: boom", "TestRetries"},
	} {
		s := runs[i]
		if got := attributes(s)["error.type"]; got != want.kind {
			t.Errorf("run %d: error.type %v, not %s", i+1, got, want.kind)
		}
		if s.Status.Code != codes.Error || s.Status.Description != want.message {
			t.Errorf("run %d: status %v, not an error %q", i+1, s.Status, want.message)
		}
		var stack string
		for _, a := range s.Events[0].Attributes {
			if a.Key == "exception.stacktrace" {
				stack = a.Value.AsString()
			}
		}
		if s.Events[0].Name != "exception" || !strings.Contains(stack, want.stack) || (want.stack == "") != (stack == "") {
			t.Errorf("run %d: event %s with stack %q", i+1, s.Events[0].Name, stack)
		}
	}
	if s := runs[2]; s.Status.Code != codes.Unset || len(s.Events) != 0 {
		t.Errorf("the run that succeeded has status %v and %d events", s.Status, len(s.Events))
	}
}

// TestForeignTraces: whatever others write into a message, its task runs, in a
// trace of its own if theirs is none.
func TestForeignTraces(t *testing.T) {
	for name, extensions := range map[string]string{
		"none":         ``,
		"not W3C":      `,"traceparent":"0af7651916cd43dd8448eb211c80319c"`,
		"zeros":        `,"traceparent":"00-00000000000000000000000000000000-b7ad6b7169203331-01"`,
		"version ff":   `,"traceparent":"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`,
		"a number":     `,"traceparent":17,"tracestate":{"a":1}`,
		"control":      `,"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\u0000"`,
		"long":         `,"traceparent":"` + strings.Repeat("0", 1000) + `"`,
		"lonely state": `,"tracestate":"a=1"`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tel := r.telemetry(taskotel.Options{})
			noop := task.Define("noop", func(context.Context, int) error { return nil })
			body := `{"specversion":"1.0","id":"1","source":"elsewhere","type":"noop"` + extensions + `}`
			if _, err := r.q.Send(t.Context(), queue.Outgoing{Body: body, Delay: -1}); err != nil {
				t.Fatal(err)
			}
			if got := r.work(tel, 1, noop)[0]; got.Outcome != task.Done {
				t.Fatalf("the task is %s: %v", got.Outcome, got.Err)
			}
			if s := r.named("run noop", 1)[0]; s.Parent.IsValid() || !s.SpanContext.IsValid() || len(s.Links) != 0 {
				t.Errorf("the run's parent is %v, its links %v", s.Parent, s.Links)
			}
		})
	}
	t.Run("a state that is too long is left out", func(t *testing.T) {
		r := newRig(t)
		tel := r.telemetry(taskotel.Options{})
		noop := task.Define("noop", func(context.Context, int) error { return nil })
		body := `{"specversion":"1.0","id":"1","source":"elsewhere","type":"noop","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=` + strings.Repeat("x", 600) + `"}`
		if _, err := r.q.Send(t.Context(), queue.Outgoing{Body: body, Delay: -1}); err != nil {
			t.Fatal(err)
		}
		r.work(tel, 1, noop)
		if s := r.named("run noop", 1)[0]; s.Parent.SpanID().String() != "b7ad6b7169203331" || s.SpanContext.TraceState().Len() != 0 {
			t.Errorf("the run's parent is %v, its state %q", s.Parent, s.SpanContext.TraceState())
		}
	})
}

// TestNewTrace: runs begin traces that link to the enqueue, one for a thousand
// calls.
func TestNewTrace(t *testing.T) {
	r := newRig(t)
	tel := r.telemetry(taskotel.Options{NewTrace: true})
	noop := task.Define("noop", func(context.Context, int) error { return nil })
	ctx, span := r.traces.Tracer("site").Start(t.Context(), "request")
	if _, err := noop.EnqueueMany(ctx, task.NewClient(r.q, tel.Client(nil)), make([]int, 15)); err != nil {
		t.Fatal(err)
	}
	span.End()
	r.work(tel, 15, noop)
	sent := r.named("enqueue noop", 1)[0]
	if got := attributes(sent)["messaging.batch.message_count"]; got != int64(15) {
		t.Errorf("the enqueue's message count is %v", got)
	}
	for _, s := range r.named("run noop", 15) {
		if s.Parent.IsValid() || s.SpanContext.TraceID() == sent.SpanContext.TraceID() || len(s.Links) != 1 || !s.Links[0].SpanContext.Equal(remote(sent)) {
			t.Errorf("a run has parent %v and links %v", s.Parent, s.Links)
		}
	}
}

// TestEnqueueFails: the span of an enqueue that failed says so.
func TestEnqueueFails(t *testing.T) {
	r := newRig(t)
	tel := r.telemetry(taskotel.Options{})
	noop := task.Define("noop", func(context.Context, int) error { return nil })
	nowhere := r.q.Service().Queue("nowhere")
	if _, err := noop.Enqueue(t.Context(), task.NewClient(nowhere, tel.Client(nil)), 1); !errors.Is(err, queue.ErrQueueNotFound) {
		t.Fatalf("enqueue into a queue that is not there: %v", err)
	}
	s := r.named("enqueue noop", 1)[0]
	if s.Status.Code != codes.Error || attributes(s)["error.type"] == nil || len(s.Events) != 1 {
		t.Errorf("status %v, attributes %v, %d events", s.Status, attributes(s), len(s.Events))
	}
}

// TestOwnTraceparent: what ClientOptions.Traceparent says is not overwritten.
func TestOwnTraceparent(t *testing.T) {
	r := newRig(t)
	tel := r.telemetry(taskotel.Options{})
	noop := task.Define("noop", func(context.Context, int) error { return nil })
	const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	c := task.NewClient(r.q, tel.Client(&task.ClientOptions{Traceparent: func(context.Context) string { return own }}))
	if _, err := noop.Enqueue(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	if got := r.work(tel, 1, noop)[0].Run.Traceparent; got != own {
		t.Errorf("the message has %q", got)
	}
}
