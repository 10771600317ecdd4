package promtext

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestWrite(t *testing.T) {
	requests := New(Counter, "requests_total", "Requests, by \"class\"\nand \\ more.")
	requests.Add(3, "class", "2xx", "name", `a"b\c`+"\nd")
	requests.Add(math.Inf(1))
	took := New(Histogram, "took_seconds", "Times.")
	took.AddHistogram([]Bucket{{0.001024, 1}, {1, 3}}, 4, 2.5, "queue", "default")
	var b bytes.Buffer
	if err := Write(&b, requests, New(Gauge, "nothing", "Of which there is none."), took); err != nil {
		t.Fatal(err)
	}
	want := `# HELP requests_total Requests, by "class"\nand \\ more.
# TYPE requests_total counter
requests_total{class="2xx",name="a\"b\\c\nd"} 3
requests_total +Inf
# HELP took_seconds Times.
# TYPE took_seconds histogram
took_seconds_bucket{queue="default",le="0.001024"} 1
took_seconds_bucket{queue="default",le="1"} 3
took_seconds_bucket{queue="default",le="+Inf"} 4
took_seconds_sum{queue="default"} 2.5
took_seconds_count{queue="default"} 4
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
	families := parse(t, b.String())
	if h := families["took_seconds"].GetMetric()[0].GetHistogram(); h.GetSampleCount() != 4 || len(h.GetBucket()) != 3 || h.GetSampleSum() != 2.5 {
		t.Errorf("Prometheus reads %v", h)
	}
}

// FuzzLabel: Prometheus reads whatever label and value as they were.
func FuzzLabel(f *testing.F) {
	f.Add("plain", 1.5)
	f.Add("\xff\n\"\\ü{}", math.Inf(-1))
	f.Add("", math.NaN())
	f.Fuzz(func(t *testing.T, label string, value float64) {
		g := New(Gauge, "g", label)
		g.Add(value, "l", label)
		var b bytes.Buffer
		if err := Write(&b, g); err != nil {
			t.Fatal(err)
		}
		m := parse(t, b.String())["g"].GetMetric()[0]
		if got, want := m.GetLabel()[0].GetValue(), strings.ToValidUTF8(label, "\uFFFD"); got != want {
			t.Errorf("label %q is read as %q", want, got)
		}
		if got := m.GetGauge().GetValue(); got != value && !(math.IsNaN(got) && math.IsNaN(value)) {
			t.Errorf("%v is read as %v", value, got)
		}
	})
}

func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families
}
