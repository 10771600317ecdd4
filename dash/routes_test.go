package dash

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeRoutes are the routes of a site with visitors.
type fakeRoutes struct{ routes []Route }

func (f *fakeRoutes) Routes() []Route { return append([]Route(nil), f.routes...) }

func (f *fakeRoutes) Route(name, kind string) (Route, []RouteSample, error) {
	for _, r := range f.routes {
		if r.Name == name && r.Kind == kind {
			return r, history(240), nil
		}
	}
	return Route{}, nil, fmt.Errorf("route %s: %w", name, ErrNotFound)
}

func history(n int) (all []RouteSample) {
	for i := range n {
		x := float64(i)
		all = append(all, RouteSample{Time: now.Add(time.Duration(i-n) * 15 * time.Second), Requests: 20 + 8*math.Sin(x/19) + 3*math.Sin(x*1.7), Errors: max(0, math.Sin(x/11)-0.9),
			P50: time.Duration(4+math.Sin(x/9)) * time.Millisecond, P95: time.Duration(40+12*math.Sin(x/13)+6*math.Cos(x*2.1)) * time.Millisecond, P99: 180 * time.Millisecond})
	}
	return all
}

func newRoutes() *fakeRoutes {
	times := RouteTimes{3200 * time.Microsecond, 41 * time.Millisecond, 180 * time.Millisecond}
	busy := Route{Name: "/packages/{id}", Kind: "application", Source: "grouped", InFlight: 3, Rate: 23.4, Requests: 82_466, Errors: 12, Gone: 7, Broken: 1, Bytes: 3 << 30, Start: times,
		Recent:   RouteRecent{Requests: 7012, Errors: 9, Gone: 1, Times: times},
		Statuses: []RouteCount{{"GET", "none", 6}, {"GET", "2xx", 82_000}, {"GET", "5xx", 12}, {"POST", "3xx", 448}}}
	for i := range 24 {
		d := time.Duration(200*math.Pow(1.26, float64(i))) * time.Microsecond
		busy.Times = append(busy.Times, RouteBucket{Max: d, First: uint64(9000 * math.Exp(-math.Pow(float64(i-12), 2)/18)), Whole: 1})
	}
	busy.Times = append(busy.Times, RouteBucket{First: 3, Whole: 3})
	f := &fakeRoutes{routes: []Route{
		{Name: "(other)", Kind: "edge", Source: "fixed", Requests: 3, Statuses: []RouteCount{{"GET", "4xx", 3}}, Recent: RouteRecent{Requests: 3}}, busy,
		{Name: "/packages/{id}", Kind: "cache", Source: "grouped", Rate: 80, Requests: 400_000, Recent: RouteRecent{Requests: 24_000, Times: RouteTimes{30 * time.Microsecond, 70 * time.Microsecond, 95 * time.Microsecond}}, Start: times},
		{Name: "(static)", Kind: "static", Source: "fixed", Rate: 240.2, Requests: 1_284_322, Recent: RouteRecent{Requests: 70_000, Times: RouteTimes{20 * time.Microsecond, 40 * time.Microsecond, 60 * time.Microsecond}}, Start: times},
		{Name: "POST /imports/:archive_of_a_catalogue_with_a_rather_long_name/entries/:entry", Kind: "application", Source: "named", Requests: 41, Errors: 20, Recent: RouteRecent{Requests: 4, Errors: 2, Times: times}, Start: times},
		{Name: `<b>&"x'`, Kind: "application", Source: "named", Requests: 1},
	}}
	return f
}

func TestRoutesPage(t *testing.T) {
	f := newFixture(t)
	page := f.page(t, "/requests")
	if got, want := texts(page, "table.routes th[scope=row]"), []string{"(static)", "/packages/{id}", "/packages/{id}",
		"POST /imports/:archive_of_a_catalogue_with_a_rather_long_name/entries/:entry", "(other)", `<b>&"x'`}; !cmp.Equal(got, want) {
		t.Errorf("routes %q", got)
	}
	if got, want := texts(page, "table.routes tbody tr:nth-child(3) td"), []string{"application", "23 /s", "7,012", "0.1 %", "3.2 ms", "41 ms", "180 ms", "82,466", "<0.1 %", "41 ms"}; !cmp.Equal(got, want) {
		t.Errorf("a row has %q", got)
	}
	if got, want := texts(page, "nav a[aria-current=page]"), []string{"Requests"}; !cmp.Equal(got, want) {
		t.Error(got)
	}
	link := attr(queryAll(page, "table.routes tbody tr:nth-child(3) a")[0], "href")
	page = f.page(t, link)
	if got, want := texts(page, "h1, .figure, #route tbody td"), []string{"/packages/{id} answered by the application", "23 /s", "0.1 %", "3.2 ms p50 41 ms p95 180 ms p99", "3.2 ms p50",
		"client left before", "6", "2xx", "82,000", "5xx", "12", "3xx", "448"}; !cmp.Equal(got, want) {
		t.Errorf("a route's page has %q", got)
	}
	if n := len(queryAll(page, "svg.chart")); n != 3 {
		t.Errorf("%d charts", n)
	}
	if got := texts(page, "svg.bars rect:last-child title, .axis span"); !cmp.Equal(got, []string{"longer than that: 3", "up to 200 µs", "longer than that"}) {
		t.Errorf("times %q", got)
	}
	if w := f.get("/requests/route?name=none&kind=application"); w.Code != http.StatusNotFound {
		t.Errorf("a route that is none: %d", w.Code)
	}
}

func TestRoutesJSON(t *testing.T) {
	f := newFixture(t)
	var list routesPage
	if err := json.Unmarshal(f.get("/requests?format=json").Body.Bytes(), &list); err != nil || len(list.Routes) != 6 || list.Routes[0].Name != "(static)" || list.Total != 6 {
		t.Errorf("%+v %v", list, err)
	}
	var one struct {
		Route   string        `json:"route"`
		History []RouteSample `json:"history"`
	}
	if err := json.Unmarshal(f.get("/requests/route?name=%2Fpackages%2F%7Bid%7D&kind=cache&format=json").Body.Bytes(), &one); err != nil || one.Route != "/packages/{id}" || len(one.History) != 240 {
		t.Errorf("%+v %v", one.Route, err)
	}
}

// Many routes are cut, none and no site are said.
func TestRoutesBounds(t *testing.T) {
	f := newFixture(t)
	f.routed.routes = nil
	if got := texts(f.page(t, "/requests"), "#routes .empty"); !cmp.Equal(got, []string{"No request has come yet."}) {
		t.Errorf("says %q", got)
	}
	for i := range 130 {
		f.routed.routes = append(f.routed.routes, Route{Name: fmt.Sprint("/", i), Kind: "application", Requests: 1})
	}
	if got := texts(f.page(t, "/requests"), "#routes > p"); len(got) != 1 || !strings.HasPrefix(got[0], "and 30 with fewer requests") {
		t.Errorf("says %q", got)
	}
	f.Routes = nil
	if got := texts(f.page(t, "/requests"), ".empty"); len(got) != 1 || !strings.HasPrefix(got[0], "There is no site") {
		t.Errorf("says %q", got)
	}
}
