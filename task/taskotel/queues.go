package taskotel

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/dayfly-dev/dayfly/queue"
)

// ObserveQueues measures how many messages queues hold and how old the oldest
// is, at each collection: one request for each queue and collection, which on
// SQS costs what requests cost. One program that does it is enough. Dead-letter
// queues are queues like others. Unregister what is returned to end it.
func (t *Telemetry) ObserveQueues(queues ...*queue.Queue) (metric.Registration, error) {
	messages, err := t.meter.Int64ObservableGauge("dayfly.task.queue.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Messages in a queue, by state: visible, delayed or in_flight."))
	if err != nil {
		return nil, err
	}
	oldest, err := t.meter.Float64ObservableGauge("dayfly.task.queue.oldest.age", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest message in a queue, 0 if it is empty; absent where the queue does not tell."))
	if err != nil {
		return nil, err
	}
	return t.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		var errs []error
		for _, q := range queues {
			d, err := q.Describe(ctx)
			if err != nil {
				errs = append(errs, fmt.Errorf("taskotel: queue %s: %w", q.Name(), err))
				continue
			}
			name := semconv.MessagingDestinationName(q.Name())
			o.ObserveInt64(messages, d.Visible, metric.WithAttributes(name, stateKey.String("visible")))
			o.ObserveInt64(messages, d.Delayed, metric.WithAttributes(name, stateKey.String("delayed")))
			o.ObserveInt64(messages, d.InFlight, metric.WithAttributes(name, stateKey.String("in_flight")))
			if d.OldestAge >= 0 {
				o.ObserveFloat64(oldest, d.OldestAge.Seconds(), metric.WithAttributes(name))
			}
		}
		return errors.Join(errs...)
	}, messages, oldest)
}
