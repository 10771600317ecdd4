package dash

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

const (
	maxForm = 64 << 10 // bytes of a POST's body; forms here carry names and ids

	// pagePolicy lets a page load only what the dashboard itself serves, run
	// only its own script, and be framed by nobody.
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

// ServeHTTP answers one request, if it comes from where it may.
func (d *Dash) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with it browsers send "Origin: null" on our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")

	if !d.hostAllowed(r.Host) {
		// A foreign name that resolves to this machine is how a website reaches
		// servers on loopback (DNS rebinding); the browser then sends that name.
		http.Error(w, "The dashboard does not answer to the name "+strip(r.Host, 200)+
			". Use http://localhost or the address dayfly printed.", http.StatusMisdirectedRequest)
		return
	}
	if why := foreign(r); why != "" {
		http.Error(w, "Refused: "+why, http.StatusForbidden)
		return
	}
	if d.streams.isClosed() {
		http.Error(w, "The dashboard is shutting down.", http.StatusServiceUnavailable)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	d.mux.ServeHTTP(w, r)
}

func (d *Dash) hostAllowed(hostport string) bool {
	host := bareHost(hostport)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		return true
	}
	return host != "" && slices.Contains(d.Hosts, host)
}

// bareHost is the host of host[:port], lower-case, without brackets, port and
// the root's dot.
func bareHost(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// foreign says why a request that a page of another site made a browser send
// is refused; "" it is none. Links from elsewhere to a page are let through.
func foreign(r *http.Request) string {
	site, mode := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Mode")
	origin := r.Header.Get("Origin")
	sameOrigin := origin != "" && originHost(origin) == r.Host
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if origin != "" && !sameOrigin {
			return "asked by a page of " + strip(origin, 200)
		}
		if site != "" && site != "same-origin" && site != "none" && mode != "navigate" {
			return "asked by a page of another site"
		}
		return ""
	}
	switch {
	case origin != "" && !sameOrigin:
		return "sent by a page of " + strip(origin, 200)
	case origin == "" && site != "same-origin":
		return "changes are taken only from the dashboard's own pages (no Origin header; a program may send its own)"
	}
	return ""
}

// originHost is host[:port] of an Origin header, "" when it is none. The
// scheme is not compared: TLS may end in front of the dashboard.
func originHost(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Path != "" {
		return ""
	}
	return u.Host
}
