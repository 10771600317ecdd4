package taskotel

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"github.com/dayfly-dev/dayfly/task"
)

// Boundaries in seconds: those the conventions advise, and for what takes
// longer than a message usually does five more, up to an hour.
var (
	shortTimes = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	longTimes  = append(shortTimes[:len(shortTimes):len(shortTimes)], 30, 60, 300, 900, 3600)
)

type instruments struct {
	sent     messagingconv.ClientSentMessages
	sending  messagingconv.ClientOperationDuration
	started  messagingconv.ClientConsumedMessages
	duration messagingconv.ProcessDuration
	finished metric.Int64Counter
	wait     metric.Float64Histogram
	running  metric.Int64UpDownCounter

	sets sync.Map // labels → attribute.Set, of those without an error
}

func (i *instruments) init(m metric.Meter) error {
	short, long := metric.WithExplicitBucketBoundaries(shortTimes...), metric.WithExplicitBucketBoundaries(longTimes...)
	errs := make([]error, 7)
	i.sent, errs[0] = messagingconv.NewClientSentMessages(m)
	i.sending, errs[1] = messagingconv.NewClientOperationDuration(m, short)
	i.started, errs[2] = messagingconv.NewClientConsumedMessages(m)
	i.duration, errs[3] = messagingconv.NewProcessDuration(m, long)
	i.finished, errs[4] = m.Int64Counter("dayfly.task.finished", metric.WithUnit("{run}"),
		metric.WithDescription("Runs, by what became of them: done, retried, dead, lost, returned, postponed or cancelled."))
	i.wait, errs[5] = m.Float64Histogram("dayfly.task.wait", metric.WithUnit("s"), long,
		metric.WithDescription("Time from the enqueue of a task, or from when it was due, to its first run."))
	i.running, errs[6] = m.Int64UpDownCounter("dayfly.task.running", metric.WithUnit("{run}"),
		metric.WithDescription("Runs under way."))
	return errors.Join(errs...)
}

// labels of one measurement.
type labels struct{ operation, task, queue string }

func (i *instruments) set(l labels) attribute.Set {
	if s, ok := i.sets.Load(l); ok {
		return s.(attribute.Set)
	}
	s, _ := i.sets.LoadOrStore(l, attribute.NewSet(l.attributes()...))
	return s.(attribute.Set)
}

func (l labels) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{semconv.MessagingSystemAWSSQS, semconv.MessagingOperationName(l.operation),
		semconv.MessagingDestinationName(l.queue), taskKey.String(l.task)}
}

// failed is the set of l, with the type of err if there is one.
func (i *instruments) failed(l labels, err error) attribute.Set {
	if err == nil {
		return i.set(l)
	}
	return attribute.NewSet(append(l.attributes(), errorType(err))...)
}

func (i *instruments) countEnqueued(ctx context.Context, name string, e *task.Enqueuing, err error, took time.Duration) {
	set := i.failed(labels{enqueueOperation, name, e.Queue}, err)
	i.sent.AddSet(ctx, int64(len(e.Events)), set)
	i.sending.RecordSet(ctx, took.Seconds(), set)
}

// measured is a run under way.
type measured struct {
	i     *instruments
	l     labels
	set   attribute.Set
	begun time.Time
}

func (i *instruments) countStarted(ctx context.Context, name string, run task.Run, e *task.Event) measured {
	l := labels{runOperation, name, run.Queue}
	m := measured{i, l, i.set(l), time.Now()}
	i.started.AddSet(ctx, 1, m.set)
	i.running.Add(ctx, 1, metric.WithAttributeSet(m.set))
	due := e.Time
	if e.NotBefore.After(due) {
		due = e.NotBefore
	}
	if run.Attempt == 1 && !e.Time.IsZero() {
		i.wait.Record(ctx, max(0, m.begun.Sub(due).Seconds()), metric.WithAttributeSet(m.set))
	}
	return m
}

func (m measured) end(ctx context.Context, err error) {
	m.i.running.Add(ctx, -1, metric.WithAttributeSet(m.set))
	m.i.duration.RecordSet(ctx, time.Since(m.begun).Seconds(), m.i.failed(m.l, err))
}

// countFinished tells runs that wait for their ledger from others that were
// postponed: that is for a person to see to.
func (i *instruments) countFinished(name string, r task.Result) {
	set := []attribute.KeyValue{semconv.MessagingSystemAWSSQS, semconv.MessagingDestinationName(r.Run.Queue), taskKey.String(name),
		outcomeKey.String(string(r.Outcome))}
	if r.Outcome == task.Postponed && errors.Is(r.Err, task.ErrLedgerUnreachable) {
		set = append(set, errorType(r.Err))
	}
	i.finished.Add(context.Background(), 1, metric.WithAttributes(set...))
}
