package dash

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Routes is what the edge measured by route. A route has a row for each kind of
// answers it got.
type Routes interface {
	// Routes are those that had requests, in any order.
	Routes() []Route
	// Route is one of them and its last hour, oldest first; ErrNotFound if there
	// is none of that name and kind.
	Route(name, kind string) (Route, []RouteSample, error)
}

// Route is the requests of a route that one kind of answerer answered.
type Route struct {
	Name     string        `json:"route"`
	Kind     string        `json:"kind"`      // who answered: "application", "cache", "static", "published", "click", "edge"
	Source   string        `json:"source"`    // how it came to be: "declared", "named", "grouped", "fixed"
	InFlight int64         `json:"in_flight"` // of all kinds, at the application
	Rate     float64       `json:"rate"`      // requests a second, over the last minute
	Recent   RouteRecent   `json:"recent"`    // the last five minutes
	Requests uint64        `json:"requests"`  // since start
	Errors   uint64        `json:"errors"`    // of these 5xx
	Gone     uint64        `json:"gone"`      // of these, those whose client left
	Broken   uint64        `json:"broken"`    // of these, those the application broke off
	Bytes    int64         `json:"bytes"`     // of answers' bodies
	Start    RouteTimes    `json:"since_start"`
	Statuses []RouteCount  `json:"statuses"`
	Times    []RouteBucket `json:"times"` // those with any, ascending
}

// RouteRecent is what happened in the last five minutes.
type RouteRecent struct {
	Requests uint64     `json:"requests"`
	Errors   uint64     `json:"errors"`
	Gone     uint64     `json:"gone"`
	Times    RouteTimes `json:"times"`
}

// RouteTimes are times to the answer's headers; 0: no answers.
type RouteTimes struct {
	P50 time.Duration `json:"p50_ns"`
	P95 time.Duration `json:"p95_ns"`
	P99 time.Duration `json:"p99_ns"`
}

// RouteCount counts the answers of a method by class of status.
type RouteCount struct {
	Method string `json:"method"`
	Code   string `json:"code"` // "2xx"; "none": the client left before
	Count  uint64 `json:"count"`
}

// RouteBucket counts answers by time: to the headers, and whole.
type RouteBucket struct {
	Max   time.Duration `json:"max_ns"` // 0: any
	First uint64        `json:"first"`
	Whole uint64        `json:"whole"`
}

// RouteSample is one step of a route's history.
type RouteSample struct {
	Time     time.Time     `json:"time"`     // its end
	Requests float64       `json:"requests"` // a second
	Errors   float64       `json:"errors"`   // a second
	P50      time.Duration `json:"p50_ns"`
	P95      time.Duration `json:"p95_ns"`
	P99      time.Duration `json:"p99_ns"`
}

// ErrorShare is the share of errors in the last five minutes, 0–1.
func (r Route) ErrorShare() float64 { return share(r.Recent.Errors, r.Recent.Requests) }

// ErrorShareSinceStart is that since the start.
func (r Route) ErrorShareSinceStart() float64 { return share(r.Errors, r.Requests) }

func share(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// Path of the route's page.
func (r Route) Path() string {
	return "/requests/route?" + url.Values{"name": {r.Name}, "kind": {r.Kind}}.Encode()
}

const routesOnPage = 100

// routesPage is the routes, those with the most requests lately first.
type routesPage struct {
	None   bool    `json:"none,omitempty"` // there is no site
	Routes []Route `json:"routes"`
	More   int     `json:"more"`  // routes that had fewer requests, not shown
	Total  int     `json:"total"` // of routes and kinds
}

func (routesPage) Title() string { return "Requests" }

func (d *Dash) requests(*http.Request) (model, error) {
	if d.Routes == nil {
		return routesPage{None: true}, nil
	}
	p := routesPage{Routes: d.Routes.Routes()}
	slices.SortFunc(p.Routes, func(a, b Route) int {
		return cmp.Or(cmp.Compare(b.Recent.Requests, a.Recent.Requests), cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	p.Total = len(p.Routes)
	p.More = max(0, p.Total-routesOnPage)
	p.Routes = p.Routes[:min(p.Total, routesOnPage)]
	return p, nil
}

// routePage is one route's answers of one kind.
type routePage struct {
	Route
	History []RouteSample `json:"history"`

	Span                      time.Duration `json:"-"`
	Rates, Failures, Latency  *chart        `json:"-"`
	Bars                      []bar         `json:"-"`
	Fastest, Slowest, Highest string        `json:"-"`
}

// Title is that of the page.
func (p routePage) Title() string { return p.Name }

func (d *Dash) route(r *http.Request) (model, error) {
	if d.Routes == nil {
		return nil, ErrNotFound
	}
	q := r.URL.Query()
	route, history, err := d.Routes.Route(q.Get("name"), q.Get("kind"))
	if err != nil {
		return nil, err
	}
	p := routePage{Route: route, History: history}
	p.draw()
	return p, nil
}

func (p *routePage) draw() {
	p.bars()
	h := p.History
	if len(h) < 2 {
		return
	}
	p.Span = h[len(h)-1].Time.Sub(h[0].Time).Round(time.Second)
	series := func(f func(RouteSample) float64) []float64 {
		out := make([]float64, len(h))
		for i, s := range h {
			out[i] = f(s)
		}
		return out
	}
	rates := series(func(s RouteSample) float64 { return s.Requests })
	failures := series(func(s RouteSample) float64 { return s.Errors })
	p50 := series(func(s RouteSample) float64 { return s.P50.Seconds() })
	p95 := series(func(s RouteSample) float64 { return s.P95.Seconds() })
	over := " over the last " + duration(p.Span)
	p.Rates = newChart("Requests a second"+over+", at most "+rate(slices.Max(rates)), rates)
	p.Failures = newChart("Failed requests a second"+over+", at most "+rate(slices.Max(failures)), failures)
	p.Highest = duration(time.Duration(slices.Max(p95) * float64(time.Second)))
	p.Latency = newChart("Time to answer"+over+", 95th percentile at most "+p.Highest, p95, p50)
}

// bars are the times to the answers' headers, all buckets between the fastest
// and the slowest.
func (p *routePage) bars() {
	var values []int64
	var texts []string
	for _, b := range p.Times {
		if b.First == 0 {
			continue
		}
		text := "up to " + duration(b.Max)
		if b.Max == 0 {
			text = "longer than that"
		}
		if len(texts) == 0 {
			p.Fastest = text
		}
		p.Slowest = text
		values, texts = append(values, int64(b.First)), append(texts, text) //nolint:gosec // a count
	}
	p.Bars = newBars(values, func(i int) string { return fmt.Sprintf("%s: %s", texts[i], count(values[i])) })
}
