package edge

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/edge/ratelimit"
)

// A Limit refuses requests beyond a rate or a concurrency, before anything is
// done for them. A request has to be let in by each that it matches.
type Limit struct {
	// Name is told in RateLimit headers and in the access log: 1–40 of a–z, 0–9
	// and -.
	Name string
	// Path is a pattern as http.ServeMux has them, without method and host:
	// "/login", "/api/", "/item/{id}". Default "/": every path.
	Path string
	// Method restricts it to one; GET is HEAD too. Default "": all.
	Method string
	// By is whose requests count together: "client" (the address; of IPv6 its
	// /64), "header:NAME" (those with the same value; of those without it, or
	// with one longer than 256 bytes, of the same client) or "route" (all that
	// match). Default "client".
	By string

	// Rate requests in Per, Burst of them at once after a rest. Default Rate 0:
	// any number. Default Burst: Rate.
	Rate  int
	Per   time.Duration
	Burst int
	// Concurrency bounds requests under way. Default 0: any number.
	Concurrency int
	// Keys is how many clients or values are remembered at least, 16 bytes
	// each. Default 65,536.
	Keys int
}

// LimitStats is what a limit has done.
type LimitStats struct {
	Name    string `json:"name"`
	Allowed uint64 `json:"allowed"`
	Refused uint64 `json:"refused"`
}

var limitName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// A limiter is a Limit at work.
type limiter struct {
	Limit
	routes   *http.ServeMux // with one pattern
	header   string         // canonical, with by = "header:…"
	rate     *ratelimit.Rate
	under    *ratelimit.Concurrency
	policy   string // of the RateLimit-Policy header
	allowed  atomic.Uint64
	refused  atomic.Uint64
	atOnce   string // what refusals say
	tooOften string
}

func newLimiter(l Limit) (lim *limiter, err error) {
	if !limitName.MatchString(l.Name) {
		return nil, fmt.Errorf("edge: limit name %q must be 1–40 of a–z, 0–9 and -, not - first or last", l.Name)
	}
	lim = &limiter{Limit: l, atOnce: "limit " + l.Name + ": too many at once", tooOften: "limit " + l.Name + ": too many requests"}
	switch name, isHeader := strings.CutPrefix(l.By, "header:"); {
	case isHeader && tokenLen(name) == len(name) && name != "":
		lim.header = http.CanonicalHeaderKey(name)
	case l.By != "" && l.By != "client" && l.By != "route":
		return nil, fmt.Errorf("edge: limit %s is by %q; it must be \"client\", \"route\" or \"header:NAME\"", l.Name, l.By)
	}
	if lim.routes, err = routes(l.Method, l.Path); err != nil {
		return nil, fmt.Errorf("edge: limit %s: %w", l.Name, err)
	}
	switch {
	case l.Rate == 0 && l.Concurrency == 0:
		return nil, fmt.Errorf("edge: limit %s limits nothing: it has neither a rate nor a concurrency", l.Name)
	case l.Concurrency < 0:
		return nil, fmt.Errorf("edge: limit %s: a concurrency of %d", l.Name, l.Concurrency)
	case l.Concurrency > 0:
		lim.under = ratelimit.NewConcurrency(l.Concurrency)
	}
	if l.Rate != 0 {
		lim.rate, err = ratelimit.NewRate(ratelimit.Terms{N: l.Rate, Per: l.Per, Burst: l.Burst, Keys: l.Keys})
		if err != nil {
			return nil, fmt.Errorf("edge: limit %s: %w", l.Name, err)
		}
		lim.policy = `"` + l.Name + `";q=` + strconv.Itoa(l.Rate) + ";w=" + strconv.FormatInt(seconds(l.Per), 10)
	}
	return lim, nil
}

// routes is a ServeMux with one pattern. It panics on one that is none.
func routes(method, path string) (mux *http.ServeMux, err error) {
	if path == "" {
		path = "/"
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t") || tokenLen(method) != len(method) {
		return nil, fmt.Errorf("%q is not a path such as \"/login\", \"/api/\" or \"/item/{id}\"", strings.TrimSpace(method+" "+path))
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	mux = http.NewServeMux()
	mux.HandleFunc(strings.TrimSpace(method+" "+path), func(http.ResponseWriter, *http.Request) {})
	return mux, nil
}

// matches reports whether the request is the limit's. A path that ServeMux
// would clean first, such as //login, is one if the clean one is.
func (l *limiter) matches(r *http.Request) bool {
	if (l.Path == "" || l.Path == "/") && l.Method == "" {
		return true
	}
	_, pattern := l.routes.Handler(r)
	return pattern != ""
}

const maxLimitValue = 256 // bytes of a header's value

func (l *limiter) key(x *exchange) string {
	switch {
	case l.By == "route":
		return ""
	case l.header != "":
		if v := first(x.r.Header[l.header]); v != "" && len(v) <= maxLimitValue {
			return "=" + v // no address begins so
		}
	}
	return network(x.origin.client)
}

// network is what belongs to one client: its IPv4 address, or the /64 of its
// IPv6 address, of which a client has all.
func network(client string) string {
	a, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64)
	return p.String()
}

// A permit is what a request holds of its limits until its end, and what its
// answer says of them.
type permit struct {
	under   []*limiter
	permits []ratelimit.Permit
	policy  string
	state   string
}

// admit asks the limits, and answers a request that one of them refuses.
func (x *exchange) admit() bool {
	p := &permit{}
	x.permit = p
	for _, l := range x.setup.limits {
		if !l.matches(x.r) {
			continue
		}
		key := l.key(x)
		if l.under != nil {
			u, ok := l.under.Begin(key)
			if !ok {
				x.limited(l, l.atOnce, time.Second)
				return false
			}
			p.under, p.permits = append(p.under, l), append(p.permits, u)
		}
		if l.rate != nil {
			d := l.rate.Take(key)
			p.add(l, d)
			if !d.Allowed {
				x.limited(l, l.tooOften, d.Retry)
				return false
			}
		}
		l.allowed.Add(1)
	}
	return true
}

// add notes a decision for the answer's headers
// (draft-ietf-httpapi-ratelimit-headers-10).
func (p *permit) add(l *limiter, d ratelimit.Decision) {
	if p.policy != "" {
		p.policy += ", "
		p.state += ", "
	}
	p.policy += l.policy
	p.state += `"` + l.Name + `";r=` + strconv.Itoa(d.Remaining) + ";t=" + strconv.FormatInt(seconds(d.Reset), 10)
}

// tell puts what is left of the limits into an answer's headers.
func (p *permit) tell(h http.Header) {
	if p != nil && p.policy != "" {
		h["Ratelimit-Policy"], h["Ratelimit"] = []string{p.policy}, []string{p.state}
	}
}

// end gives back what a request held.
func (p *permit) end() {
	if p == nil {
		return
	}
	for i, l := range p.under {
		l.under.End(p.permits[i])
	}
}

func (x *exchange) limited(l *limiter, reason string, retry time.Duration) {
	l.refused.Add(1)
	x.retryAfter = seconds(retry)
	x.fail(reason, http.StatusTooManyRequests, pageLimited)
}

// seconds rounds up, to one at least.
func seconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// limiters are those of limits, with the counts of those that were.
func limiters(limits []Limit, were []*limiter) (all []*limiter, err error) {
	names := map[string]bool{}
	for _, l := range limits {
		at := slices.IndexFunc(were, func(x *limiter) bool { return x.Limit == l })
		var lim *limiter
		if at >= 0 {
			lim = were[at]
		} else if lim, err = newLimiter(l); err != nil {
			return nil, err
		}
		if names[l.Name] {
			return nil, fmt.Errorf("edge: two limits are called %s", l.Name)
		}
		names[l.Name] = true
		all = append(all, lim)
	}
	return all, nil
}
