package edge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/forwarded"
)

// apexOf returns the name whose requests are redirected to host: host without
// its first label, if that still is a domain of two labels or more.
func apexOf(host string) string {
	_, apex, ok := strings.Cut(host, ".")
	if !ok || !strings.Contains(apex, ".") {
		return ""
	}
	return apex
}

// Apex is the name whose requests are redirected to Options.Host, "" if there is
// none.
func (e *Edge) Apex() string { return e.setup().apex }

// redirect answers a request for the apex, or by http where https is wanted,
// with a redirect to where it belongs: in one step, save where HSTS's lists want
// two. It cannot loop: see plain, and the host it redirects to is not the apex.
func (e *Edge) redirect(x *exchange) bool {
	name, port := splitHost(x.origin.host)
	name = strings.TrimSuffix(name, ".")
	apex := x.setup.apex != "" && strings.EqualFold(name, x.setup.apex)
	plain := e.plain(x)
	if !apex && !plain || x.r.RequestURI == "*" || x.origin.proto == "http" && e.stays(x) {
		return false
	}
	proto := x.origin.proto
	if apex {
		name = x.setup.Host
	}
	if plain {
		switch proto, port = "https", strconv.Itoa(x.setup.HTTPS.Port); {
		case apex && x.setup.HTTPS.HSTS.Preload:
			name = x.setup.apex
		case x.setup.Host != "" && !slices.Contains(x.setup.HTTPS.Hosts, strings.ToLower(name)):
			name = x.setup.Host
		case name == "":
			return false
		}
		if port == "443" {
			port = ""
		}
	}
	if port != "" {
		name += ":" + port
	}
	status := http.StatusMovedPermanently
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		status = http.StatusPermanentRedirect // keeps method and body
	}
	h := x.Header()
	x.origin.tell(h)
	h.Set("Location", proto+"://"+name+requestURI(x.r))
	// A browser keeps a permanent redirect for ever unless told otherwise.
	h.Set("Cache-Control", "public, max-age=86400")
	if plain {
		// A shared cache that leaves the scheme out of account would repeat it to those
		// that come by https.
		h.Set("Cache-Control", "private, max-age=86400")
	}
	h.Set("Content-Length", "0")
	x.WriteHeader(status)
	return true
}

// requestURI returns the request's path and query as they were sent if they
// can stand in a request line and in a Location, else escaped.
func requestURI(r *http.Request) string {
	s := r.RequestURI
	if s == "*" {
		return s
	}
	if r.URL.Opaque != "" {
		return "/" // "GET http:name": no path of this site
	}
	if s == "" || s[0] != '/' {
		return r.URL.RequestURI()
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '#' {
			return r.URL.RequestURI()
		}
	}
	return s
}

// splitHost splits a Host header into name and port; either may be empty.
func splitHost(host string) (name, port string) { return forwarded.SplitHost(host) }

// validHost reports whether a Host header may be passed on and repeated.
func validHost(host string) bool { return forwarded.ValidHost(host) }
