package taskotel_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/taskotel"
)

// scraped is what Prometheus reads of a program that uses OpenTelemetry's
// exporter, as doc/tasks.md shows.
type scraped map[string]*dto.MetricFamily

func metered(t *testing.T) (sdkmetric.Option, func() scraped) {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	return sdkmetric.WithReader(reader), func() scraped {
		w := httptest.NewRecorder()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		return families
	}
}

// value of a family's only metric that has all the labels ("name=value"); of a
// histogram its count. NaN if there is none.
func (s scraped) value(family string, labels ...string) float64 {
	for _, m := range s[family].GetMetric() {
		var has []string
		for _, l := range m.GetLabel() {
			has = append(has, l.GetName()+"="+l.GetValue())
		}
		all := " " + strings.Join(has, " ") + " "
		ok := true
		for _, want := range labels {
			ok = ok && strings.Contains(all, " "+want+" ")
		}
		if !ok {
			continue
		}
		switch {
		case m.Counter != nil:
			return m.GetCounter().GetValue()
		case m.Gauge != nil:
			return m.GetGauge().GetValue()
		case m.Histogram != nil:
			return float64(m.GetHistogram().GetSampleCount())
		}
	}
	return math.NaN()
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	option, scrape := metered(t)
	tel := r.telemetry(taskotel.Options{MeterProvider: sdkmetric.NewMeterProvider(option)})
	if _, err := tel.ObserveQueues(r.q, r.dead); err != nil {
		t.Fatal(err)
	}
	good := task.Define("good", func(context.Context, int) error { return nil })
	bad := task.Define("bad", func(context.Context, int) error { return errors.New("no") }, task.Attempts(2))
	client := task.NewClient(r.q, tel.Client(nil))
	if _, err := good.EnqueueMany(t.Context(), client, make([]int, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Enqueue(t.Context(), client, 1); err != nil {
		t.Fatal(err)
	}
	if got := scrape().value("dayfly_task_queue_messages", "messaging_destination_name=work", "dayfly_message_state=visible"); got != 4 {
		t.Errorf("%v messages in the queue before the worker runs", got)
	}
	r.work(tel, 5, good, bad)
	s := scrape()
	for _, c := range []struct {
		want   float64
		family string
		labels []string
	}{
		{3, "messaging_client_sent_messages_total", []string{"dayfly_task_name=good", "messaging_destination_name=work", "messaging_operation_name=enqueue", "messaging_system=aws_sqs"}},
		{1, "messaging_client_operation_duration_seconds", []string{"dayfly_task_name=good"}},
		{3, "messaging_client_consumed_messages_total", []string{"dayfly_task_name=good"}},
		{2, "messaging_client_consumed_messages_total", []string{"dayfly_task_name=bad"}},
		{3, "messaging_process_duration_seconds", []string{"dayfly_task_name=good", "messaging_operation_name=run"}},
		{2, "messaging_process_duration_seconds", []string{"dayfly_task_name=bad", "error_type=*errors.errorString"}},
		{3, "dayfly_task_wait_seconds", []string{"dayfly_task_name=good"}},
		{1, "dayfly_task_wait_seconds", []string{"dayfly_task_name=bad"}},
		{3, "dayfly_task_finished_total", []string{"dayfly_task_name=good", "dayfly_task_outcome=done"}},
		{1, "dayfly_task_finished_total", []string{"dayfly_task_name=bad", "dayfly_task_outcome=retried"}},
		{1, "dayfly_task_finished_total", []string{"dayfly_task_name=bad", "dayfly_task_outcome=dead"}},
		{0, "dayfly_task_running", []string{"dayfly_task_name=good"}},
		{0, "dayfly_task_queue_messages", []string{"messaging_destination_name=work", "dayfly_message_state=visible"}},
		{1, "dayfly_task_queue_messages", []string{"messaging_destination_name=dead", "dayfly_message_state=visible"}},
		{0, "dayfly_task_queue_oldest_age_seconds", []string{"messaging_destination_name=work"}},
	} {
		if got := s.value(c.family, c.labels...); got != c.want {
			t.Errorf("%s%v is %v, not %v", c.family, c.labels, got, c.want)
		}
	}
}

// TestWaitsForLedger: what waits for its ledger is told from what else is
// postponed.
func TestWaitsForLedger(t *testing.T) {
	r := newRig(t)
	option, scrape := metered(t)
	tel := r.telemetry(taskotel.Options{MeterProvider: sdkmetric.NewMeterProvider(option)})
	waits := task.Define("waits", func(_ context.Context, ledger bool) error {
		if ledger {
			return task.Postpone(task.ErrLedgerUnreachable, time.Minute)
		}
		return task.Postpone(errors.New("asked for patience"), time.Minute)
	})
	if _, err := waits.EnqueueMany(t.Context(), task.NewClient(r.q, nil), []bool{true, false, true}); err != nil {
		t.Fatal(err)
	}
	r.work(tel, 3, waits)
	of := []string{"dayfly_task_name=waits", "dayfly_task_outcome=postponed"}
	if got := scrape().value("dayfly_task_finished_total", append(of, "error_type=ledger_unreachable")...); got != 2 {
		t.Errorf("%v runs waited for the ledger, not 2", got)
	}
	if n := len(scrape()["dayfly_task_finished_total"].GetMetric()); n != 2 {
		t.Errorf("%d series, not one for either reason", n)
	}
}

// TestCardinality: names that come out of messages are bounded, and those of
// tasks that nobody knows are not kept at all.
func TestCardinality(t *testing.T) {
	r := newRig(t)
	option, scrape := metered(t)
	tel := r.telemetry(taskotel.Options{MeterProvider: sdkmetric.NewMeterProvider(option)})
	send := func(from, to int) {
		for i := from; i < to; i++ {
			body := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"elsewhere","type":"made-up-%d"}`, i, i)
			if _, err := r.q.Send(t.Context(), queue.Outgoing{Body: body, Delay: -1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func() int { return len(scrape()["dayfly_task_finished_total"].GetMetric()) }

	send(0, 5)
	noop := task.Define("noop", func(context.Context, int) error { return nil })
	r.work(tel, 15, noop) // three attempts each
	if got := scrape().value("dayfly_task_finished_total", "dayfly_task_name=_OTHER", "dayfly_task_outcome=dead"); got != 5 || count() != 2 {
		t.Errorf("%v unknown tasks counted as _OTHER, in %d series", got, count())
	}
	send(5, 265)
	any := task.Any(func(context.Context, *task.Event) error { return nil })
	r.work(tel, 260, any)
	if got := scrape().value("dayfly_task_finished_total", "dayfly_task_name=_OTHER", "dayfly_task_outcome=done"); got != 60 || count() != 203 {
		t.Errorf("%v tasks above the bound counted as _OTHER, in %d series", got, count())
	}
}
