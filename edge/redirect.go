package edge

import (
	"net/http"
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

// redirectApex answers a request for the apex with a redirect to the site's
// host. It cannot loop: the host it redirects to is not the apex.
func (e *Edge) redirectApex(x *exchange) bool {
	name, port := splitHost(x.origin.host)
	if !strings.EqualFold(strings.TrimSuffix(name, "."), e.apex) {
		return false
	}
	host := e.opt.Host
	if port != "" {
		host += ":" + port
	}
	status := http.StatusMovedPermanently
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		status = http.StatusPermanentRedirect // keeps method and body
	}
	h := x.Header()
	x.origin.tell(h)
	h.Set("Location", x.origin.proto+"://"+host+requestURI(x.r))
	// A browser keeps a permanent redirect for ever unless told otherwise.
	h.Set("Cache-Control", "public, max-age=86400")
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
