package taskotel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/dayfly-dev/dayfly/task"
)

// Names of our own, where the conventions have none.
const (
	taskKey    = attribute.Key("dayfly.task.name")
	attemptKey = attribute.Key("dayfly.task.attempt")
	outcomeKey = attribute.Key("dayfly.task.outcome")
	stateKey   = attribute.Key("dayfly.message.state")
)

const (
	enqueueOperation = "enqueue"
	runOperation     = "run"
)

// carrier is an event as what a trace context travels in.
type carrier struct{ *task.Event }

func (c carrier) Get(key string) string {
	switch key {
	case "traceparent":
		return c.Traceparent
	case "tracestate":
		return c.Tracestate
	}
	return ""
}

func (c carrier) Set(key, value string) {
	switch key {
	case "traceparent":
		c.Traceparent = value
	case "tracestate":
		if len(value) <= maxTracestate {
			c.Tracestate = value
		}
	}
}

// maxTracestate is what a message takes.
const maxTracestate = 512

func (carrier) Keys() []string { return []string{"traceparent", "tracestate"} }

// enqueuer makes one span for one call. All messages of an EnqueueMany carry
// its context: a span for each of ten thousand would tell nothing more.
func (t *Telemetry) enqueuer(next task.Enqueuer) task.Enqueuer {
	return func(ctx context.Context, e *task.Enqueuing) error {
		if len(e.Events) == 0 {
			return next(ctx, e)
		}
		first := e.Events[0]
		name := t.names.bounded(first.Type)
		ctx, span := t.tracer.Start(ctx, enqueueOperation+" "+name, trace.WithSpanKind(trace.SpanKindProducer))
		defer span.End()
		if span.IsRecording() {
			span.SetAttributes(
				semconv.MessagingSystemAWSSQS, semconv.MessagingDestinationName(e.Queue), semconv.MessagingOperationName(enqueueOperation),
				semconv.MessagingOperationTypeSend, taskKey.String(first.Type))
			if len(e.Events) == 1 {
				span.SetAttributes(semconv.MessagingMessageID(first.ID))
			} else {
				span.SetAttributes(semconv.MessagingBatchMessageCount(len(e.Events)))
			}
		}
		for _, event := range e.Events {
			if event.Traceparent == "" { // else ClientOptions.Traceparent has decided
				propagation.TraceContext{}.Inject(ctx, carrier{event})
			}
		}
		begun := time.Now()
		err := next(ctx, e)
		t.countEnqueued(ctx, name, e, err, time.Since(begun))
		if err != nil {
			fail(span, err, err)
		}
		return err
	}
}

// handler makes a span for each run: a child of the span of the enqueue, so
// that runs after a failure are siblings. What is no W3C trace context is
// ignored.
func (t *Telemetry) handler(next task.Handler) task.Handler {
	return func(ctx context.Context, e *task.Event) (err error) {
		run, _ := task.Info(ctx)
		name := t.names.bounded(e.Type)
		ctx, span := t.startRun(ctx, name, run, e)
		r := t.countStarted(ctx, name, run, e)
		returned := false
		defer func() { // also of a run that panics or exits
			if !returned {
				err = errExited
			}
			cause := context.Cause(ctx)
			r.end(ctx, failure(err, cause))
			if err != nil && !task.IsPostponed(err) || errors.Is(cause, task.ErrLeaseLost) {
				fail(span, failure(err, cause), err)
			}
			span.End()
		}()
		err = next(ctx, e)
		returned = true
		return err
	}
}

var errExited = errors.New("taskotel: the run ended without returning")

func (t *Telemetry) startRun(ctx context.Context, name string, run task.Run, e *task.Event) (context.Context, trace.Span) {
	remote := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier{e}))
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
	if remote.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: remote}))
	}
	if remote.IsValid() && !t.newTrace {
		ctx = trace.ContextWithRemoteSpanContext(ctx, remote)
	} else {
		options = append(options, trace.WithNewRoot()) // not below a span of the worker's start
	}
	ctx, span := t.tracer.Start(ctx, runOperation+" "+name, options...)
	if span.IsRecording() {
		span.SetAttributes(
			semconv.MessagingSystemAWSSQS, semconv.MessagingDestinationName(run.Queue), semconv.MessagingOperationName(runOperation),
			semconv.MessagingOperationTypeProcess, semconv.MessagingMessageID(run.ID),
			taskKey.String(e.Type), attemptKey.Int(run.Attempt))
	}
	return ctx, span
}

// fail writes why into the span. what is recorded, its kind may be that of
// another error.
func fail(span trace.Span, kind, what error) {
	if !span.IsRecording() {
		return
	}
	if what == nil {
		what = kind
	}
	var stack []trace.EventOption
	if p, ok := errors.AsType[*task.PanicError](what); ok {
		stack = append(stack, trace.WithAttributes(semconv.ExceptionStacktrace(string(p.Stack))))
	}
	span.RecordError(what, stack...)
	span.SetAttributes(errorType(kind))
	span.SetStatus(codes.Error, what.Error())
}
