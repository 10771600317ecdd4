package app

import (
	"slices"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/edge"
	measured "github.com/dayfly-dev/dayfly/edge/traffic"
	"github.com/dayfly-dev/dayfly/internal/promtext"
)

// codeOf is how a class of status is called in labels.
func codeOf(class int) string {
	if class == 0 {
		return "none"
	}
	return string(rune('0'+class)) + "xx"
}

// routes is what the edge counted by route.
func (m *metrics) routes() []*promtext.Family {
	if m.app.edge == nil {
		return nil
	}
	requests := promtext.New(promtext.Counter, "dayfly_http_requests_total", "Requests by route, who answered, method and class of status; none: the client left before the answer.")
	whole := promtext.New(promtext.Histogram, "dayfly_http_request_duration_seconds", "From a request's headers to its answer's end, without event streams and upgraded connections.")
	first := promtext.New(promtext.Histogram, "dayfly_http_first_byte_seconds", "From a request's headers to its answer's.")
	sent := promtext.New(promtext.Counter, "dayfly_http_response_body_bytes_total", "Bytes of answers' bodies.")
	gone := promtext.New(promtext.Counter, "dayfly_http_client_gone_total", "Requests whose client left before the end.")
	broken := promtext.New(promtext.Counter, "dayfly_http_broken_answers_total", "Answers that the application broke off.")
	flying := promtext.New(promtext.Gauge, "dayfly_http_in_flight_requests", "Requests the application is answering, by what their address tells of the route.")
	for _, r := range m.app.edge.Routes() {
		if len(r.Kinds) > 0 || r.InFlight != 0 {
			flying.Add(float64(r.InFlight), "route", r.Name)
		}
		for _, k := range r.Kinds {
			labels := []string{"route", r.Name, "kind", k.Kind.String()}
			for method, classes := range k.By {
				for class, n := range classes {
					if n > 0 {
						requests.Add(float64(n), append(labels[:4:4], "method", measured.Methods[method], "code", codeOf(class))...)
					}
				}
			}
			whole.AddHistogram(classic(&k.Whole), k.Whole.Count(), k.Whole.Sum.Seconds(), labels...)
			first.AddHistogram(classic(&k.First), k.First.Count(), k.First.Sum.Seconds(), labels...)
			sent.Add(float64(k.Bytes), labels...)
			gone.Add(float64(k.Gone), labels...)
			broken.Add(float64(k.Broken), labels...)
		}
	}
	return []*promtext.Family{requests, whole, first, sent, gone, broken, flying}
}

func classic(h *measured.Histogram) []promtext.Bucket {
	var all []promtext.Bucket
	for _, bound := range measured.Classic {
		all = append(all, promtext.Bucket{Max: bound.Seconds(), Count: h.AtMost(bound)})
	}
	return all
}

// spooled is what the edge keeps in files for slow clients.
func spooled(s *edge.Stats) []*promtext.Family {
	bytes := promtext.New(promtext.Gauge, "dayfly_edge_spooled_bytes", "Bytes reserved in files for slow clients.")
	bytes.Add(float64(s.Spooled))
	full := promtext.New(promtext.Counter, "dayfly_edge_spools_full_total", "Bodies that found no room there.")
	full.Add(float64(s.SpoolsFull))
	return []*promtext.Family{bytes, full}
}

// routesShown is what the dashboard shows of the routes.
type routesShown struct{ edge *edge.Edge }

// Routes are those that had requests.
func (s routesShown) Routes() []dash.Route {
	var all []dash.Route
	for _, r := range s.edge.Routes() {
		for _, k := range r.Kinds {
			all = append(all, routeShown(r, k))
		}
	}
	return all
}

// Route is one with its history.
func (s routesShown) Route(name, kind string) (dash.Route, []dash.RouteSample, error) {
	for _, r := range s.edge.Routes() {
		i := slices.IndexFunc(r.Kinds, func(k measured.Stats) bool { return k.Kind.String() == kind })
		if r.Name != name || i < 0 {
			continue
		}
		points, _ := s.edge.RouteHistory(name, r.Kinds[i].Kind)
		samples := make([]dash.RouteSample, len(points))
		for j, p := range points {
			samples[j] = dash.RouteSample{Time: p.Time, P50: p.P50, P95: p.P95, P99: p.P99}
			if over := p.Over.Seconds(); over > 0 {
				samples[j].Requests, samples[j].Errors = float64(p.Requests)/over, float64(p.Errors)/over
			}
		}
		return routeShown(r, r.Kinds[i]), samples, nil
	}
	return dash.Route{}, nil, dash.ErrNotFound
}

func routeShown(r measured.RouteStats, k measured.Stats) dash.Route {
	out := dash.Route{Name: r.Name, Kind: k.Kind.String(), Source: string(r.Source), InFlight: r.InFlight, Rate: k.Rate,
		Requests: k.Requests, Errors: k.Errors, Gone: k.Gone, Broken: k.Broken, Bytes: int64(k.Bytes), //nolint:gosec // exabytes are not sent
		Start:  dash.RouteTimes{P50: k.First.Percentile(0.50), P95: k.First.Percentile(0.95), P99: k.First.Percentile(0.99)},
		Recent: dash.RouteRecent{Requests: k.Lately.Requests, Errors: k.Lately.Errors, Gone: k.Lately.Gone, Times: dash.RouteTimes{P50: k.Lately.P50, P95: k.Lately.P95, P99: k.Lately.P99}}}
	for method, classes := range k.By {
		for class, n := range classes {
			if n > 0 {
				out.Statuses = append(out.Statuses, dash.RouteCount{Method: measured.Methods[method], Code: codeOf(class), Count: n})
			}
		}
	}
	for i := range measured.Buckets {
		if first, whole := k.First.Counts[i], k.Whole.Counts[i]; first > 0 || whole > 0 {
			out.Times = append(out.Times, dash.RouteBucket{Max: measured.Bound(i), First: first, Whole: whole})
		}
	}
	return out
}
