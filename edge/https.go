package edge

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// HTTPS says how a site is kept to https. The zero value redirects nothing.
type HTTPS struct {
	// Redirect sends clients that came by http to https: 301 for GET and HEAD, 308
	// for others. To the apex's and the http redirect's end it is one step.
	Redirect bool
	// Own: this process ends TLS itself, so that a connection without it is http.
	// Else TLS is ended by a balancer in a trusted network, and its word counts.
	Own bool
	// Port is where clients find https, 1–65535. Default 443.
	Port int
	// Hosts are further names of the site; requests for them are redirected to
	// https under their own name. Those for any other name but Options.Host and its
	// apex go to Options.Host, if there is one.
	Hosts []string
	// Ready reports whether https works yet; until then nothing is redirected to
	// it. It is asked for each request by http. Default nil: always.
	Ready func() bool
	// Challenge answers an ACME server's question, path /.well-known/acme-challenge/,
	// and reports whether it was one of its own. Default nil: the application answers.
	Challenge func(http.ResponseWriter, *http.Request) bool
	// HSTS has browsers keep to https by themselves (RFC 6797). It is sent over https
	// only, by Options.Host and its apex. Default: not sent.
	HSTS HSTS
}

// HSTS is what Strict-Transport-Security says.
type HSTS struct {
	// MaxAge is how long browsers remember, in whole seconds. 0: none is sent.
	MaxAge time.Duration
	// Subdomains has it count for all names below, too.
	Subdomains bool
	// Preload agrees to be built into browsers. It needs Subdomains and a MaxAge of a
	// year. The lists demand that http://apex leads to https://apex first, so that
	// with it the apex takes two steps.
	Preload bool
}

// Year is the least MaxAge that the lists of hstspreload.org take.
const Year = 365 * 24 * time.Hour

// Header is the header's value, "" if none is to be sent.
func (h HSTS) Header() string {
	if h.MaxAge <= 0 {
		return ""
	}
	s := "max-age=" + strconv.FormatInt(int64(h.MaxAge/time.Second), 10)
	if h.Subdomains {
		s += "; includeSubDomains"
	}
	if h.Preload {
		s += "; preload"
	}
	return s
}

func (h *HTTPS) normalize(host string) error {
	if h.Port == 0 {
		h.Port = 443
	}
	if h.Port < 1 || h.Port > 65535 {
		return fmt.Errorf("edge: the port of https is %d; it must be 1 to 65535", h.Port)
	}
	h.Hosts = slices.Clone(h.Hosts)
	for i, name := range h.Hosts {
		if h.Hosts[i] = strings.ToLower(name); !hostForm.MatchString(h.Hosts[i]) {
			return fmt.Errorf("edge: host %q is not a host name", name)
		}
	}
	switch s := h.HSTS; {
	case s.MaxAge < 0, s.MaxAge == 0 && (s.Subdomains || s.Preload):
		return fmt.Errorf("edge: HSTS without a time to keep it")
	case s.MaxAge > 0 && host == "":
		return fmt.Errorf("edge: HSTS is for a host: set Host")
	case s.Preload && (!s.Subdomains || s.MaxAge < Year):
		return fmt.Errorf("edge: HSTS is preloaded only with Subdomains and a MaxAge of at least a year")
	}
	return nil
}

const challengePath = "/.well-known/acme-challenge/"

// challenge answers an ACME server.
func (e *Edge) challenge(x *exchange) bool {
	return strings.HasPrefix(x.r.URL.Path, challengePath) && x.setup.HTTPS.Challenge(x, x.r)
}

// stays reports whether a request by http is answered where it was asked:
// an ACME server's, which must see the challenge of that very name, and a
// balancer's that asks the health path by address.
func (e *Edge) stays(x *exchange) bool {
	if strings.HasPrefix(x.r.URL.Path, challengePath) {
		return true
	}
	if x.setup.HealthPath == "" || x.r.URL.RequestURI() != x.setup.HealthPath || x.r.Method != "GET" && x.r.Method != "HEAD" {
		return false
	}
	name, _ := splitHost(x.origin.host)
	return name == "" || isAddress(name)
}

// isAddress reports whether a host is an IP address, in brackets if it is IPv6.
func isAddress(name string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	return err == nil
}

// plain reports whether the client came by http and https is to be had, so that
// it may be sent there. It never is where the client may have come by https
// unnoticed: the redirect would come back, for ever.
func (e *Edge) plain(x *exchange) bool {
	o := &x.origin
	if o.proto == "https" || !x.setup.HTTPS.Redirect || x.setup.HTTPS.Ready != nil && !x.setup.HTTPS.Ready() {
		return false
	}
	switch {
	case o.told && claims(x.r.Header):
		e.loops.warn(e, "a trusted balancer says http and another header that its client used https, so that nothing is redirected: there is a CDN or proxy before the balancer; add its network to the trusted ones (\"cloudfront\" is CloudFront's), and have one X-Forwarded-Proto sent", o.client)
		return false
	case o.told:
		return true
	case o.trusted && !x.setup.HTTPS.Own:
		e.loops.warn(e, "a trusted balancer does not say whether its client used https, so that nothing is redirected: have it send X-Forwarded-Proto", o.client)
		return false
	case !o.trusted && claimsHTTPS(x):
		e.loops.warn(e, "a client that used https came from a network that is not trusted, and is not redirected to https again: if that is a balancer, add its network to the trusted ones", o.client)
		return false
	}
	return true
}

// claimsHTTPS reports whether a request whose headers are not believed may have
// been sent by https all the same, through something that is not trusted: it
// says so, or has headers that browsers send by https alone, save to this machine.
func claimsHTTPS(x *exchange) bool {
	h := x.r.Header
	if claims(h) {
		return true
	}
	name, _ := splitHost(x.origin.host)
	name = strings.ToLower(name)
	local := name == "localhost" || strings.HasSuffix(name, ".localhost") || isAddress(name)
	return !local && (h["Sec-Fetch-Mode"] != nil || h["Sec-Fetch-Site"] != nil)
}

// claims reports whether a header, believed or not, says that somebody on the
// way was asked by https.
func claims(h http.Header) bool {
	for _, name := range []string{"X-Forwarded-Proto", "Cloudfront-Forwarded-Proto", "Forwarded"} {
		for _, v := range h[name] {
			if strings.Contains(strings.ToLower(v), "https") {
				return true
			}
		}
	}
	return false
}

// A warner says a thing at most once an hour: it is met with every request.
type warner struct{ last atomic.Int64 }

func (w *warner) warn(e *Edge, text, client string, more ...any) {
	now, last := time.Now().Unix(), w.last.Load()
	if now-last >= 3600 && w.last.CompareAndSwap(last, now) {
		e.log.Warn(text, append([]any{"from", client}, more...)...)
	}
}

// secure tells browsers to keep to https.
func (e *Edge) secure(x *exchange) {
	if strict := x.setup.strict(&x.origin); strict != nil {
		x.Header()["Strict-Transport-Security"] = strict
	}
}

// strict is the Strict-Transport-Security of an answer; nil: it has none.
func (s *setup) strict(o *origin) []string {
	if s.hsts == nil || o.proto != "https" {
		return nil
	}
	name, _ := splitHost(o.host)
	if !strings.EqualFold(name, s.Host) && !strings.EqualFold(name, s.apex) {
		return nil
	}
	return s.hsts
}
