package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/task"
)

// TestMetrics: what Prometheus reads of an application that runs.
func TestMetrics(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("ce-type") == "bad" {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer endpoint.Close()
	a, dashboard, site := startMetered(t, endpoint.URL)
	for _, path := range []string{"/static/none", "/static/none", "/static/none"} {
		if r, err := http.Get(site + path); err != nil {
			t.Fatal(err)
		} else {
			r.Body.Close()
		}
	}
	pushed, idle := a.queues.Queue(a.names["pushed"]), a.queues.Queue(a.names["idle"])
	for queue, names := range map[*task.Client][]string{
		task.NewClient(pushed, nil): {"good", "good", "bad"}, task.NewClient(idle, nil): {"left", "left"},
	} {
		for _, name := range names {
			if _, err := task.EnqueueNamed(t.Context(), queue, name, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := map[string]float64{
		`dayfly_push_finished_total{outcome=done,queue=pushed,task=good}`:            2,
		`dayfly_push_finished_total{outcome=dead,queue=pushed,task=bad}`:             1,
		`dayfly_queue_messages{queue=idle,state=visible}`:                            2,
		`dayfly_queue_messages{queue=pushed,state=visible}`:                          0,
		`dayfly_queue_messages{queue=pushed-dead,state=visible}`:                     1,
		`dayfly_queue_sent_messages_total{queue=pushed}`:                             3,
		`dayfly_queue_sent_messages_total{queue=pushed-dead}`:                        1,
		`dayfly_queue_received_messages_total{queue=pushed}`:                         3,
		`dayfly_queue_deleted_messages_total{queue=pushed}`:                          3,
		`dayfly_queue_unreadable{queue=idle}`:                                        0,
		`dayfly_process_wanted{group=sleeper}`:                                       1,
		`dayfly_process_state{group=sleeper,process=sleeper.1,state=running}`:        1,
		`dayfly_process_state{group=sleeper,process=sleeper.1,state=backing_off}`:    0,
		`dayfly_process_healthy{group=sleeper,process=sleeper.1}`:                    1,
		`dayfly_process_restarts_total{group=sleeper,process=sleeper.1}`:             0,
		`dayfly_edge_requests_total{class=4xx}`:                                      3,
		`dayfly_http_requests_total{code=4xx,kind=static,method=GET,route=(static)}`: 3,
		`dayfly_http_request_duration_seconds_count{kind=static,route=(static)}`:     3,
		`dayfly_http_first_byte_seconds_count{kind=static,route=(static)}`:           3,
		`dayfly_http_in_flight_requests{route=(static)}`:                             0,
		`dayfly_edge_spools_full_total{}`:                                            0,
		`dayfly_edge_request_duration_seconds_count{}`:                               3,
		`dayfly_schedule_failed{schedule=never}`:                                     0,
		`dayfly_info{app=metered,version=v1}`:                                        1,
	}
	deadline := time.Now().Add(5 * time.Minute)
	for wrong := differences(t, dashboard, want); len(wrong) > 0; wrong = differences(t, dashboard, want) {
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(wrong, "\n"))
		}
		time.Sleep(100 * time.Millisecond) // the counts follow the work, and are at most a second old
	}
}

func startMetered(t *testing.T, endpoint string) (a *App, dashboard, site string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "files", "a.txt"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse(filepath.Join(dir, "dayfly.toml"), fmt.Appendf(nil, `name = "metered"
[listen]
edge = "127.0.0.1:0"
dashboard = "127.0.0.1:0"
aws = "127.0.0.1:0"
smtp = "127.0.0.1:0"
[static]
dir = "files"
[process.sleeper]
command = "sleep 1000"
[queue.idle]
[queue.pushed]
push = "%s"
attempts = 1
[schedule.never]
cron = "0 0 29 2 *"
task = "leap"
queue = "idle"
`, endpoint))
	if err != nil {
		t.Fatal(err)
	}
	a, err = Start(t.Context(), Options{Manifest: m, Environ: os.Environ(), Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, x := range a.Addresses() {
		switch x.Name {
		case "Dashboard":
			dashboard = x.URL
		case "Site":
			site = x.URL
		}
	}
	return a, dashboard, site
}

// differences scrapes once.
func differences(t *testing.T, dashboard string, want map[string]float64) (wrong []string) {
	t.Helper()
	r, err := http.Get(dashboard + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%d %s %v", r.StatusCode, r.Header.Get("Content-Type"), err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	got := map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			labels := series(m)
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				got[name+labels] = m.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				got[name+labels] = m.GetGauge().GetValue()
			case dto.MetricType_HISTOGRAM:
				got[name+"_count"+labels] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	for k, v := range want {
		if x, ok := got[k]; !ok || x != v {
			wrong = append(wrong, fmt.Sprintf("%s is %v (there: %t), not %v", k, x, ok, v))
		}
	}
	return wrong
}

// series writes labels in the order of their names.
func series(m *dto.Metric) string {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	var pairs []string
	for _, name := range sortedKeys(labels) {
		pairs = append(pairs, name+"="+labels[name])
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// TestOutcomesAreBounded: anybody who can send to a queue can make up names.
func TestOutcomesAreBounded(t *testing.T) {
	var o outcomes
	for i := range 10 * maxTaskNames {
		o.observe(task.Result{Run: task.Run{Queue: "q", Task: fmt.Sprint("t", i)}, Outcome: task.Dead, Took: time.Second})
	}
	all := o.all()
	if len(all) != maxTaskNames+1 {
		t.Errorf("%d series", len(all))
	}
	if got := all[ran{"q", otherTasks, task.Dead}]; got != (runs{9 * maxTaskNames, 9 * maxTaskNames}) {
		t.Errorf("the others are counted %+v", got)
	}
}
