// Package taskotel makes spans and metrics of tasks for OpenTelemetry: a span
// for each enqueue and each run, in one trace with what enqueued the task, and
// counts and times by task, queue and outcome. It needs OpenTelemetry's API
// only; which SDK and exporter take them is the program's.
//
// Names and attributes follow the semantic conventions for messaging, version
// 1.43.0, with one exception: a span is named after the task ("run
// daily_digest") and not after the queue, which all tasks may share. What the
// conventions have no name for begins with "dayfly.". doc/tasks.md lists all.
//
// The trace context travels in the message, for everybody to read who can
// read the queue. Baggage does not.
package taskotel

import (
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/dayfly-dev/dayfly/task"
)

const scope = "github.com/dayfly-dev/dayfly/task/taskotel"

// Options of a Telemetry; nil means the defaults.
type Options struct {
	// TracerProvider and MeterProvider take spans and measurements; default
	// those of otel.GetTracerProvider and otel.GetMeterProvider.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// NewTrace begins a trace for each run, linked to the span of the enqueue,
	// instead of going on with the trace: for tasks that run long after, or
	// thousands of which come from one place. Default false.
	NewTrace bool
}

// Telemetry instruments clients and workers. It may be used for any number of
// both, and by any number of goroutines.
type Telemetry struct {
	tracer   trace.Tracer
	meter    metric.Meter
	newTrace bool
	names    names
	instruments
}

// New makes the instruments. It fails when the MeterProvider refuses one.
func New(o *Options) (*Telemetry, error) {
	var own Options
	if o != nil {
		own = *o
	}
	if own.TracerProvider == nil {
		own.TracerProvider = otel.GetTracerProvider()
	}
	if own.MeterProvider == nil {
		own.MeterProvider = otel.GetMeterProvider()
	}
	t := &Telemetry{
		tracer:   own.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		meter:    own.MeterProvider.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)),
		newTrace: own.NewTrace,
	}
	return t, t.instruments.init(t.meter)
}

// Client returns o, of which nil is the default, with a span and measurements
// around each enqueue, outside of the middleware o has.
func (t *Telemetry) Client(o *task.ClientOptions) *task.ClientOptions {
	var own task.ClientOptions
	if o != nil {
		own = *o
	}
	own.Middleware = append([]func(task.Enqueuer) task.Enqueuer{t.enqueuer}, own.Middleware...)
	return &own
}

// Worker returns o with a span and measurements around each run, outside of the
// middleware o has; its OnResult is called as before.
func (t *Telemetry) Worker(o task.WorkerOptions) task.WorkerOptions {
	for _, d := range o.Tasks {
		t.names.declare(d.Name())
	}
	o.Middleware = append([]func(task.Handler) task.Handler{t.handler}, o.Middleware...)
	after := o.OnResult
	o.OnResult = func(r task.Result) {
		t.finish(r)
		if after != nil {
			after(r)
		}
	}
	return o
}

// finish counts what became of a run. The name of a task that no worker knows
// is whatever somebody sent, and is not a label.
func (t *Telemetry) finish(r task.Result) {
	name := other
	if _, unknown := errors.AsType[*task.UnknownTaskError](r.Err); !unknown && r.Run.Task != "" {
		name = t.names.bounded(r.Run.Task)
	}
	t.countFinished(name, r)
}
