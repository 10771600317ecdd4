package taskotel_test

import (
	"context"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/taskotel"
)

// BenchmarkOverhead is what spans and measurements add to the run of a no-op
// and to its enqueue, the queue left out: without an SDK, with one that samples
// nothing, and with one that samples everything for an exporter that drops it.
func BenchmarkOverhead(b *testing.B) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	for name, o := range map[string]*taskotel.Options{
		"no SDK":      nil,
		"unsampled":   {MeterProvider: meters, TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))},
		"all sampled": {MeterProvider: meters, TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{}))},
	} {
		tel, err := taskotel.New(o)
		if err != nil {
			b.Fatal(err)
		}
		run := tel.Worker(task.WorkerOptions{}).Middleware[0](func(context.Context, *task.Event) error { return nil })
		enqueue := tel.Client(nil).Middleware[0](func(context.Context, *task.Enqueuing) error { return nil })
		b.Run("run, "+name, func(b *testing.B) {
			e := &task.Event{ID: "1", Source: "s", Type: "noop", Time: time.Now(), Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
			b.ReportAllocs()
			for b.Loop() {
				if err := run(b.Context(), e); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("enqueue, "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := &task.Event{ID: "1", Source: "s", Type: "noop"}
				if err := enqueue(b.Context(), &task.Enqueuing{Queue: "work", Events: []*task.Event{e}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }
