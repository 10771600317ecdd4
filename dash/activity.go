package dash

import (
	"slices"
	"time"
)

// rateOver is the time that rates are said over.
const rateOver = time.Minute

// activity is a queue's recent past as it is shown.
type activity struct {
	Activity
	Counted bool          `json:"-"` // there are samples
	Span    time.Duration `json:"-"` // of the charts
	In      float64       `json:"in"`
	Out     float64       `json:"out"` // messages a second over the last minute
	Recent  Outcomes      `json:"recent"`

	Depth, Rates, Runs *chart `json:"-"`
}

// activity is nil where nothing is known of the queue.
func (d *Dash) activity(queue string) *activity {
	if d.Tasks == nil {
		return nil
	}
	x := d.Tasks.Activity(queue)
	x.Samples = x.Samples[max(0, len(x.Samples)-maxSamples):]
	if len(x.Samples) == 0 && x.Push == nil {
		return nil
	}
	a := &activity{Activity: x, Counted: len(x.Samples) > 0}
	if n := len(x.Samples); n > 1 {
		a.Span = x.Samples[n-1].Time.Sub(x.Samples[0].Time).Round(time.Second)
		a.measure()
		a.draw()
	}
	return a
}

// measure says what was counted over the last minute, or since the first sample
// where that is less.
func (a *activity) measure() {
	last := a.Samples[len(a.Samples)-1]
	from := slices.IndexFunc(a.Samples, func(s Sample) bool { return last.Time.Sub(s.Time) <= rateOver })
	if from == len(a.Samples)-1 {
		from--
	}
	a.In, a.Out, a.Recent = since(a.Samples[from], last)
}

// since is what was counted between two samples: messages a second in and out,
// and runs.
func since(first, last Sample) (in, out float64, runs Outcomes) {
	seconds := last.Time.Sub(first.Time).Seconds()
	if seconds <= 0 {
		return 0, 0, Outcomes{}
	}
	return float64(last.Sent-first.Sent) / seconds, float64(last.Deleted-first.Deleted) / seconds, last.Outcomes.minus(first.Outcomes)
}

func (a *activity) draw() {
	var waiting, underway, in, out, done, failed []float64
	for i, s := range a.Samples {
		waiting, underway = append(waiting, float64(s.Visible+s.Delayed)), append(underway, float64(s.InFlight))
		if i == 0 {
			continue
		}
		before := a.Samples[i-1]
		x, y, runs := since(before, s)
		in, out = append(in, x), append(out, y)
		done, failed = append(done, float64(runs.Done)), append(failed, float64(runs.Retried+runs.Dead))
	}
	over := " over the last " + duration(a.Span)
	a.Depth = newChart("Messages waiting, at most "+rate(slices.Max(waiting))+", and in flight, at most "+rate(slices.Max(underway))+","+over, waiting, underway)
	if len(in) > 1 {
		a.Rates = newChart("Messages a second"+over+": in at most "+rate(slices.Max(in))+", out at most "+rate(slices.Max(out)), in, out)
		a.Runs = newChart("Runs of tasks"+over+", done and failed", done, failed)
	}
}
