package dash

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const maxSamples = 360

// overviewPage is the application at a glance.
type overviewPage struct {
	Info      Info      `json:"info"`
	Attention []alert   `json:"attention"` // what somebody should look at
	Edge      EdgeStats `json:"edge"`
	Groups    []Group   `json:"groups"`
	// Maintenance is nil where there is no site.
	Maintenance *Maintenance `json:"maintenance,omitempty"`
	Totals      totals       `json:"totals"`

	Span                      time.Duration `json:"-"` // of the charts
	Requests, Errors, Latency *chart        `json:"-"`
}

// alert is something that is wrong, and the page that shows it.
type alert struct {
	Text string `json:"text"`
	Path string `json:"path"`
}

// totals over the processes.
type totals struct {
	Running int     `json:"running"`
	Wanted  int     `json:"wanted"`
	CPU     float64 `json:"cpu"`
	Memory  int64   `json:"memory"`
	HTTP    bool    `json:"http"` // a process speaks HTTP
}

func (overviewPage) Title() string { return "Overview" }

func (d *Dash) overview(r *http.Request) (model, error) {
	p := overviewPage{Info: d.App.Info(), Edge: d.App.Edge(), Groups: d.App.Groups(), Maintenance: d.maintenance()}
	for _, g := range p.Groups {
		p.Totals.Wanted += g.Want
		p.Totals.HTTP = p.Totals.HTTP || g.HTTP
		for _, x := range g.Processes {
			if x.State == Running {
				p.Totals.Running++
			}
			p.Totals.CPU += max(0, x.CPU)
			p.Totals.Memory += max(0, x.Memory)
		}
	}
	p.Edge.History = p.Edge.History[max(0, len(p.Edge.History)-maxSamples):]
	p.draw()
	p.Attention = slices.Concat(d.processAlerts(p.Groups), d.scheduleAlerts(), d.queueAlerts(r.Context()), d.effectAlerts(r.Context()))
	return p, nil
}

func (p *overviewPage) draw() {
	h := p.Edge.History
	if len(h) < 2 {
		return
	}
	p.Span = h[len(h)-1].Time.Sub(h[0].Time).Round(time.Second)
	series := func(f func(EdgeSample) float64) []float64 {
		out := make([]float64, len(h))
		for i, s := range h {
			out[i] = f(s)
		}
		return out
	}
	requests := series(func(s EdgeSample) float64 { return s.Requests })
	failed := series(func(s EdgeSample) float64 { return s.Errors })
	p50 := series(func(s EdgeSample) float64 { return s.P50.Seconds() })
	p95 := series(func(s EdgeSample) float64 { return s.P95.Seconds() })
	over := " over the last " + duration(p.Span)
	p.Requests = newChart("Requests a second"+over+", at most "+rate(slices.Max(requests)), requests)
	p.Errors = newChart("Failed requests a second"+over+", at most "+rate(slices.Max(failed)), failed)
	p.Latency = newChart("Time to answer"+over+", 95th percentile at most "+
		duration(time.Duration(slices.Max(p95)*float64(time.Second))), p95, p50)
}

func (d *Dash) processAlerts(groups []Group) (out []alert) {
	for _, g := range groups {
		for _, x := range g.Processes {
			text := ""
			switch {
			case x.State == Failed || x.State == BackingOff:
				text = fmt.Sprintf("%s is %s: %s", x.Name, x.State, x.LastExit)
			case x.State == Running && !x.Healthy:
				text = x.Name + " does not pass its health check"
			}
			if text != "" {
				out = append(out, alert{Text: text, Path: "/logs?process=" + x.Name})
			}
		}
	}
	return out
}

func (d *Dash) scheduleAlerts() (out []alert) {
	for _, s := range d.App.Schedules() {
		if s.LastFailed {
			out = append(out, alert{Text: fmt.Sprintf("Schedule %s failed: %s", s.Name, s.LastResult), Path: "/schedule"})
		}
	}
	return out
}

// queueAlerts are dead letters. A service that is not embedded is not asked:
// the overview is rendered often, and there each look may cost.
func (d *Dash) queueAlerts(ctx context.Context) (out []alert) {
	if d.Queues == nil || d.QueueService != "" {
		return nil
	}
	rows, _, err := d.queueRows(ctx, "")
	if err != nil {
		d.Log.Warn("queues not read for the overview", "error", err)
		return []alert{{Text: "The queues could not be read: " + err.Error(), Path: "/queues"}}
	}
	paused, err := d.pauses(ctx)
	if err != nil {
		d.Log.Warn("pauses not read for the overview", "error", err)
	}
	for _, q := range rows {
		if x := paused[q.Name]; x != nil {
			out = append(out, alert{Text: q.Name + " is paused; messages in it: " + count(q.total()), Path: "/queues/" + q.Name})
		}
		if d.rate(&q); q.Down {
			out = append(out, alert{Text: "Tasks of " + q.Name + " wait, as the endpoint they are pushed to is down: " + q.DownWhy, Path: "/queues/" + q.Name})
		}
		if len(q.Sources) > 0 && q.total() > 0 {
			noun := "messages"
			if q.total() == 1 {
				noun = "message"
			}
			out = append(out, alert{Text: fmt.Sprintf("%s dead %s in %s", count(q.total()), noun, q.Name), Path: "/queues/" + q.Name})
		}
	}
	return out
}

func (d *Dash) restart(r *http.Request) (done, error) {
	group := r.PostForm.Get("group")
	return done{Text: "Restarting " + group + ", one instance after the other", Next: "/"}, d.App.Restart(r.Context(), group)
}

func (d *Dash) scale(r *http.Request) (done, error) {
	group := r.PostForm.Get("group")
	n, err := strconv.Atoi(r.PostForm.Get("n"))
	if err != nil || n < 0 {
		return done{}, invalid("n must be a number of instances")
	}
	return done{Text: fmt.Sprintf("Wanted of %s: %d", group, n), Next: "/"}, d.App.Scale(r.Context(), group, n)
}
