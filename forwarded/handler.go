package forwarded

import (
	"net"
	"net/http"
	"net/url"
)

// Handler has next see each request as its client sent it: Host is what the
// client asked, URL.Scheme and URL.Host are set, and RemoteAddr is the client's
// address, with port 0 where a proxy stood between. From peers that are not
// trusted, headers that tell of a client are removed before next sees them. r.TLS
// stays what the connection is.
func Handler(next http.Handler, trusted *Networks) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := trusted.Read(r)
		seen := new(http.Request)
		*seen = *r
		seen.URL = new(url.URL)
		*seen.URL = *r.URL
		seen.Host, seen.URL.Scheme, seen.URL.Host = c.Host, c.Proto, c.Host
		if c.Chain != c.Address { // a proxy stood between
			seen.RemoteAddr = net.JoinHostPort(c.Address, "0")
		}
		if !c.Trusted {
			seen.Header = without(r.Header)
		}
		next.ServeHTTP(w, seen)
	})
}

// without returns h without the headers that tell of a client; h itself if it
// has none.
func without(h http.Header) http.Header {
	kept := h
	for name := range h {
		if !IsHeader(name) {
			continue
		}
		if len(kept) == len(h) {
			kept = h.Clone()
		}
		delete(kept, name)
	}
	return kept
}
