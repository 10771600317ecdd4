package edge

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/edge/traffic"
)

// RouteHeader is the field of an answer by which the application says to which
// route the request belonged, such as "GET /items/{id}" or "items#show": 1–100
// printable ASCII characters, without quotes and backslashes, not beginning with
// a parenthesis. Clients do not get it.
const RouteHeader = "Dayfly-Route"

// edgePage is what a page of the edge has in RouteHeader on its way through a
// layer that asked for itself. No application can name a route so.
const edgePage = "(edge)"

// Why an answer is not whole, as logs have it.
const (
	leftEarly = "client went away"
	brokeOff  = "answer broke off"
)

// measured is what an exchange is counted by.
type measured struct {
	route    *traffic.Route // by its address; nil: not looked for yet
	flying   bool           // counted as under way
	kind     traffic.Kind   // Application: to be seen by what happened
	name     string         // of the route, by the application
	encoding string         // of the answer
	endless  bool           // the answer lasts as long as somebody likes
}

// lanes gives each exchange its shard of the counters. Exchanges are kept for
// use again by processor, so that their shards are, too.
var lanes atomic.Uint32

// Routes returns what was measured of the requests by route.
func (e *Edge) Routes() []traffic.RouteStats { return e.traffic.Routes() }

// RouteHistory returns the last hour of a route's answers of one kind, oldest
// first; false if there are none.
func (e *Edge) RouteHistory(route string, k traffic.Kind) ([]traffic.Point, bool) {
	return e.traffic.History(route, k)
}

// fly counts the request as under way at the application.
func (x *exchange) fly() {
	x.route = x.e.traffic.Find(x.r.Method, x.r.URL)
	x.route.Begin(x.lane)
	x.flying = true
}

// headed takes from an answer's headers what is told of it, and what is not for
// the client.
func (x *exchange) headed(status int, h http.Header) {
	if name, ok := h[RouteHeader]; ok && !x.own {
		delete(h, RouteHeader)
		x.routed(first(name))
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	x.encoding = first(h["Content-Encoding"])
	x.endless = status == http.StatusSwitchingProtocols || isEventStream(h["Content-Type"])
}

// routed notes the route that an answer's RouteHeader said.
func (x *exchange) routed(name string) {
	if x.name = name; name == edgePage {
		x.name, x.kind = "", traffic.Edge
	}
}

// paged notes that a page of the edge answers.
func (x *exchange) paged(h http.Header) {
	if x.kind == traffic.Application {
		x.kind = traffic.Edge
	}
	if x.own {
		h[RouteHeader] = []string{edgePage}
	}
}

// count counts the exchange under its route, whose name it returns.
func (x *exchange) count(total time.Duration) string {
	r := x.route
	if r == nil {
		r = x.e.traffic.Find(x.r.Method, x.r.URL)
	}
	if x.flying {
		x.route.Finish(x.lane)
	}
	q := traffic.Request{Kind: x.answeredBy(), Method: x.r.Method, Path: x.r.URL.Path, Name: x.name, Status: x.status, Bytes: x.bytes, First: x.first, Total: total,
		Endless: x.endless, Gone: x.failure == leftEarly, Broken: strings.HasPrefix(x.failure, brokeOff)}
	return x.e.traffic.End(r, x.lane, &q).Name()
}

func (x *exchange) answeredBy() traffic.Kind {
	switch {
	case x.kind != traffic.Application:
		return x.kind
	case x.cache == string(respcache.Hit) || x.cache == string(respcache.Stale):
		return traffic.Cache
	case x.release != "" && x.target == "":
		return traffic.Published
	case x.cache == "" && x.target == "":
		return traffic.Edge
	}
	return traffic.Application
}
