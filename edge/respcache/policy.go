package respcache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A policy is what an answer's headers say of storing and using it.
type policy struct {
	store        bool
	anybody      bool          // the answer would be stored for a request without credentials
	explicit     bool          // shared caches are named: public, s-maxage, a targeted field
	staleAllowed bool          // max-stale of a request may be heeded
	auth         bool          // may be used for requests with Authorization (RFC 9111, section 3.5)
	lifetime     time.Duration // section 4.2.1
	swr, sie     time.Duration // after it; 0: not at all
	without      []string      // fields that are not stored (section 3.1 and 5.2.2.4)
}

// judge decides whether an answer with this status and header is stored
// (RFC 9111, section 3), and what becomes of it. It is stricter than the RFC,
// for here is the last place before everybody's eyes:
//
//   - nothing is stored that the application did not mark: no heuristics;
//   - an answer with Set-Cookie is not, unless it names the field in
//     no-cache="Set-Cookie" or private="Set-Cookie": then it is stored without;
//   - the answer to a request with a Cookie is only if it names shared caches.
func (o *Options) judge(request http.Header, status int, h http.Header) policy {
	d, targeted := o.directives(h)
	var p policy
	if status < 200 || status == http.StatusPartialContent || status == http.StatusNotModified || status == http.StatusRequestedRangeNotSatisfiable {
		return p
	}
	if d.noStore && !(d.mustUnderstand && understood(status)) || d.private || d.mustUnderstand && !understood(status) {
		return p
	}
	if vary := h["Vary"]; slices.Contains(vary, "*") || lists(vary, "*") {
		return p
	}
	if h["Trailer"] != nil || h["Content-Range"] != nil {
		return p
	}
	p.without = fieldNames(d.noCacheFields + "," + d.privateFields)
	if h["Set-Cookie"] != nil && !slices.Contains(p.without, "Set-Cookie") {
		return p
	}
	p.explicit = targeted || d.public || d.sMaxAge != unset
	p.auth = d.public || d.sMaxAge != unset || d.mustRevalidate || targeted && !d.noCache
	marked := false
	p.lifetime, marked = lifetime(d, h, targeted)
	o.stale(&p, d)
	if d.noCache {
		p.lifetime, p.swr, p.sie = 0, 0, 0
	}
	marked = marked || d.public || d.noCache
	useful := p.lifetime > 0 || p.swr > 0 || p.sie > 0 || h["Etag"] != nil || validDate(h["Last-Modified"])
	if !marked || !useful {
		return p
	}
	p.anybody = true
	p.store = (request["Authorization"] == nil || p.auth) && (request["Cookie"] == nil || p.explicit)
	return p
}

// directives are those of the first targeted field that is there and well-formed,
// else of Cache-Control.
func (o *Options) directives(h http.Header) (d directives, targeted bool) {
	for _, name := range o.Targets {
		if v := h[name]; v != nil {
			if d, ok := parseTargeted(v); ok {
				return d, true
			}
		}
	}
	return parseDirectives(h["Cache-Control"]), false
}

// understood are the statuses whose meaning for caches this one knows (RFC
// 9111, section 5.2.2.3).
func understood(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// lifetime is how long an answer is fresh, and whether it says so at all
// (section 4.2.1). A targeted field replaces Expires too.
func lifetime(d directives, h http.Header, targeted bool) (time.Duration, bool) {
	switch {
	case d.sMaxAge != unset:
		return d.sMaxAge, true
	case d.maxAge != unset:
		return d.maxAge, true
	case targeted || h["Expires"] == nil:
		return 0, false
	}
	// An Expires that is no date, or two of them, is in the past (section 5.3).
	expires, err := http.ParseTime(h["Expires"][0])
	if err != nil || len(h["Expires"]) > 1 {
		return 0, true
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		date = time.Now()
	}
	return min(max(0, expires.Sub(date)), maxDelta), true
}

// stale sets how long the answer may be used once it is stale. s-maxage alone
// would forbid it (section 5.2.2.10), but the one who writes s-maxage=60,
// stale-while-revalidate=600 means both.
func (o *Options) stale(p *policy, d directives) {
	p.swr, p.sie = d.staleWhileRevalidate, d.staleIfError
	if d.sMaxAge == unset {
		if p.swr == unset {
			p.swr = o.StaleWhileRevalidate
		}
		if p.sie == unset {
			p.sie = o.StaleIfError
		}
	}
	p.swr, p.sie = max(0, p.swr), max(0, p.sie)
	p.staleAllowed = d.sMaxAge == unset && !d.mustRevalidate && !d.proxyRevalidate && !d.noCache
	if d.mustRevalidate || d.proxyRevalidate {
		p.swr, p.sie = 0, 0
	}
}

// fieldNames reads the fields of a qualified directive.
func fieldNames(s string) []string {
	var names []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); isToken(part) && len(names) < maxDirectives {
			names = append(names, http.CanonicalHeaderKey(part))
		}
	}
	return names
}

func validDate(v []string) bool {
	if len(v) == 0 {
		return false
	}
	_, err := http.ParseTime(v[0])
	return err == nil
}

// initialAge is how old an answer is when it has arrived (section 4.2.3):
// asked and got are when its request was sent and its header came.
func initialAge(h http.Header, asked, got time.Time) time.Duration {
	var apparent, value time.Duration
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		// Date has whole seconds: less than one is not an age.
		if apparent = got.Sub(date); apparent < time.Second {
			apparent = 0
		}
	}
	if v := h["Age"]; len(v) > 0 {
		first, _, _ := strings.Cut(v[0], ",")
		if value = parseDelta(strings.TrimSpace(first)); value == unset {
			value = 0
		}
	}
	if value > 0 {
		value += got.Sub(asked)
	}
	return max(apparent, value)
}
