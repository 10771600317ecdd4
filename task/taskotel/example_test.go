package taskotel_test

import (
	"context"
	"log"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/taskotel"
)

// A program whose tasks are measured, and which Prometheus reads.
func Example() {
	reader, err := prometheus.New()
	if err != nil {
		log.Fatal(err)
	}
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	http.Handle("/metrics", promhttp.Handler())

	tel, err := taskotel.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	var q *queue.Queue // of sqsqueue.Open
	digest := task.Define("daily_digest", func(ctx context.Context, day string) error {
		task.Log(ctx).Info("composing", "day", day)
		return nil
	})
	client := task.NewClient(q, tel.Client(nil))
	worker, err := task.NewWorker(q, tel.Worker(task.WorkerOptions{Tasks: []task.Definition{digest}, Log: slog.Default()}))
	_, _, _ = client, worker, err
}
