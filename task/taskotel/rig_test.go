package taskotel_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/taskotel"
)

// rig is the embedded queue, OpenTelemetry's SDK, and a program with a client
// and a worker.
type rig struct {
	*testing.T
	q, dead *queue.Queue
	spans   *tracetest.InMemoryExporter
	traces  *sdktrace.TracerProvider
	results chan task.Result
}

func newRig(t *testing.T) *rig {
	e, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := queue.New(e)
	t.Cleanup(func() { s.Close() })
	for name, a := range map[string]queue.Attributes{"dead": {}, "work": {DeadLetter: &queue.DeadLetter{Queue: "dead", MaxReceives: 3}}} {
		if err := s.CreateQueue(t.Context(), name, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{T: t, q: s.Queue("work"), dead: s.Queue("dead"), spans: tracetest.NewInMemoryExporter(), results: make(chan task.Result, 100)}
	r.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans))
	return r
}

func (r *rig) telemetry(o taskotel.Options) *taskotel.Telemetry {
	r.Helper()
	o.TracerProvider = r.traces
	tel, err := taskotel.New(&o)
	if err != nil {
		r.Fatal(err)
	}
	return tel
}

// work runs tasks until n results are in, and returns these.
func (r *rig) work(tel *taskotel.Telemetry, n int, tasks ...task.Definition) []task.Result {
	r.Helper()
	w, err := task.NewWorker(r.q, tel.Worker(task.WorkerOptions{
		Tasks: tasks, Wait: time.Second, Backoff: task.Backoff{Min: time.Millisecond, Max: 2 * time.Millisecond},
		OnResult: func(x task.Result) { r.results <- x },
	}))
	if err != nil {
		r.Fatal(err)
	}
	ctx, stop := context.WithCancel(r.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	var all []task.Result
	for range n {
		select {
		case x := <-r.results:
			all = append(all, x)
		case <-time.After(5 * time.Minute):
			r.Fatalf("%d of %d results within a minute: %v", len(all), n, all)
		}
	}
	stop()
	if err := <-ended; err != nil {
		r.Fatal(err)
	}
	return all
}

// named returns the ended spans of a name, in the order of their start.
func (r *rig) named(name string, n int) []tracetest.SpanStub {
	r.Helper()
	var some []tracetest.SpanStub
	for _, s := range r.spans.GetSpans() {
		if s.Name == name {
			some = append(some, s)
		}
	}
	if len(some) != n {
		r.Fatalf("%d spans named %q, not %d; all are %v", len(some), name, n, names(r.spans.GetSpans()))
	}
	return some
}

func names(spans tracetest.SpanStubs) (all []string) {
	for _, s := range spans {
		all = append(all, s.Name)
	}
	return all
}

func attributes(s tracetest.SpanStub) map[attribute.Key]any {
	m := map[attribute.Key]any{}
	for _, a := range s.Attributes {
		m[a.Key] = a.Value.AsInterface()
	}
	return m
}

func isChild(child, parent tracetest.SpanStub) bool {
	return child.SpanContext.TraceID() == parent.SpanContext.TraceID() && child.Parent.SpanID() == parent.SpanContext.SpanID()
}

func remote(s tracetest.SpanStub) trace.SpanContext { return s.SpanContext.WithRemote(true) }
