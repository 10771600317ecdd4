// Package traffic measures an edge's requests by route: how many, how they
// ended, how long they took, how many bytes they had.
//
// A route is, in this order: what the application calls it in its answer; what
// was declared (Options.Declared); or a group of addresses that is found by
// itself, such as /users/{id}/orders (see template). Whatever clients and the
// application do, there are at most Options.Max routes that were not declared;
// requests of no route count under Other.
//
// Counting takes no lock and allocates nothing once a route has been seen:
// counters are split into shards, of which each caller uses its own. What the
// last hour looked like is sampled from them each 15 s. All is in memory and
// begins anew with the process.
package traffic

import (
	"context"
	"fmt"
	"math/bits"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMax is how many routes there are that were not declared.
const DefaultMax = 200

// maxDeclared bounds the declared routes.
const maxDeclared = 200

// Names of the routes that are none of the application's.
const (
	Other  = "(other)"  // requests of no route that is told apart
	Files  = "(static)" // static files
	Clicks = "(clicks)" // counted redirects
)

// Options of a Meter. The zero value groups addresses by itself.
type Options struct {
	// Declared routes. Default none; at most 200.
	Declared []Pattern
	// Max bounds the routes that were not declared, 1–10,000. Default 200.
	Max int
}

// A Meter measures. All methods may be called at once.
type Meter struct {
	max                   int
	shards                uint32                   // a power of two
	declared              atomic.Pointer[patterns] // nil: none
	other, static, clicks *Route

	found  atomic.Pointer[found] // what is not declared; never changed, only replaced
	sealed atomic.Bool           // there is no room for another, and none gives way

	mu    sync.Mutex // guards what follows, the replacing of found, and histories
	ticks uint64
	last  time.Time // of the latest tick
}

// New makes a Meter. It fails on patterns that are none, or that conflict as
// http.ServeMux says.
func New(o Options) (*Meter, error) {
	if o.Max == 0 {
		o.Max = DefaultMax
	}
	if o.Max < 1 || o.Max > 10_000 {
		return nil, fmt.Errorf("traffic: Max is %d; it must be 1 to 10000", o.Max)
	}
	m := &Meter{max: o.Max, shards: min(16, uint32(1)<<bits.Len(uint(runtime.GOMAXPROCS(0)-1))), last: time.Now()}
	m.other, m.static, m.clicks = m.route(Other, Fixed), m.route(Files, Fixed), m.route(Clicks, Fixed)
	m.found.Store(&found{})
	return m, m.Declare(o.Declared)
}

// Find returns the route that a request belongs to as far as its address tells.
// It is never nil.
func (m *Meter) Find(method string, u *url.URL) *Route {
	if p := m.declared.Load(); p != nil {
		if r := p.find(method, u); r != nil {
			return r
		}
	}
	if r := m.found.Load().find(u.Path); r != nil {
		return r
	}
	return m.other
}

// A Request is what is told of one at its end.
type Request struct {
	Kind   Kind
	Method string
	Path   string // decoded
	Name   string // that the application gave the route; "": none
	Status int    // 0: no answer was begun
	Bytes  int64  // of the answer's body
	// First is how long the answer's headers took, Total all of it; Endless says
	// that it ended when somebody wished, so that Total means nothing.
	First, Total time.Duration
	Endless      bool
	// Gone says that the client left before the end, Broken that the application
	// broke off its answer.
	Gone, Broken bool
}

// End counts a request that Find said to be of r, and returns the route it was
// counted under. The shard is any number that is the caller's for a while.
func (m *Meter) End(r *Route, shard uint32, q *Request) *Route {
	switch {
	case q.Kind == Static:
		r = m.static
	case q.Kind == Click:
		r = m.clicks
	case q.Name != "" && validName(q.Name):
		r = m.named(r, q)
	case r == m.other && q.learnable():
		r = m.learn(q.Path, nil)
	}
	r.count(shard&(m.shards-1), q)
	return r
}

// learnable reports whether a request shows that its address is one of the
// application's: what it says is not there, or not allowed, is not. Who asks for
// addresses at random makes no routes.
func (q *Request) learnable() bool {
	own := q.Kind == Application || q.Kind == Cache || q.Kind == Published
	return own && (q.Status >= 200 && q.Status < 400 || q.Status >= 500)
}

// maxName bounds the name that an application gives a route, in bytes.
const maxName = 100

// validName: printable ASCII that needs no escape anywhere, and is not taken
// for one of ours.
func validName(s string) bool {
	if len(s) > maxName || s[0] == ' ' || s[0] == '(' || s[len(s)-1] == ' ' {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' })
}

// Run samples until ctx ends.
func (m *Meter) Run(ctx context.Context) {
	tick := time.NewTicker(Step)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			m.Tick(now)
		case <-ctx.Done():
			return
		}
	}
}

// all are the routes in the order they are shown in without counts.
func (m *Meter) all() []*Route {
	var all []*Route
	if p := m.declared.Load(); p != nil {
		all = append(all, p.routes...)
	}
	all = append(all, m.found.Load().routes...)
	return append(all, m.static, m.clicks, m.other)
}
