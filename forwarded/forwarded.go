// Package forwarded tells what a client asked and from where, when balancers,
// CDNs and proxies stand between it and a server: they end TLS, dial anew and
// say in headers what was before.
//
// Anybody can write such headers. They are believed only from peers in Networks
// that are trusted, and of a chain of addresses only the part that trusted
// peers wrote. Handler is the middleware for an application; dayfly's edge reads
// with the same code.
//
//	trusted, err := forwarded.ParseNetworks(strings.Fields(os.Getenv("TRUSTED_PROXIES")), nil)
//	…
//	server.Handler = forwarded.Handler(mux, trusted)
//
// Nothing is kept. A header is looked at up to 8 KiB and 32 addresses.
package forwarded

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const (
	maxHops   = 32      // addresses of a chain that are looked at
	maxHeader = 8 << 10 // bytes of a header that are looked at
)

// A Client is who sent a request and what it asked, as far as that can be
// believed.
type Client struct {
	Trusted bool   // the peer is in a trusted network
	Told    bool   // a trusted peer said Proto
	Address string // of the client; "" if unknown
	Chain   string // addresses joined with ", ": the client first, the peer last
	Proto   string // "http" or "https"
	Host    string // what the client asked, with the port if it named one
	Port    string // "443", "8080": of Host, or the scheme's own
}

// Read reads where r came from. What its headers say counts only if its peer is
// in trusted.
func (trusted *Networks) Read(r *http.Request) Client {
	c := Client{Proto: "http", Host: r.Host}
	if r.TLS != nil {
		c.Proto = "https"
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		host, _, _ = strings.Cut(host, "%") // a zone means nothing elsewhere, and has no place in Forwarded
		c.Address, c.Chain = host, host
	}
	if !trusted.empty() {
		if peer, err := netip.ParseAddr(c.Address); err == nil && trusted.Contains(peer) {
			c.Trusted = true
			c.believe(r.Header, peer, trusted)
		}
	}
	if c.Port == "" {
		c.Port = portOf(c.Host, c.Proto)
	}
	return c
}

// believe takes over what a trusted peer says of the client.
func (c *Client) believe(h http.Header, peer netip.Addr, trusted *Networks) {
	var hops []netip.Addr // nearest last
	var elements []element
	if xff := h["X-Forwarded-For"]; len(xff) > 0 {
		hops = parseHops(strings.Join(xff, ","))
	} else if f := h["Forwarded"]; len(f) > 0 {
		elements = parseForwarded(strings.Join(f, ","))
		hops = hopsOf(elements)
	}
	chain, cloudfront := []string{c.Address}, trusted.isCloudFront(peer)
	for i := len(hops) - 1; i >= 0 && trusted.Contains(peer); i-- {
		peer = hops[i]
		chain = append([]string{peer.String()}, chain...)
		cloudfront = cloudfront || trusted.isCloudFront(peer)
	}
	c.Address, c.Chain = chain[0], strings.Join(chain, ", ")
	var proto, host string
	if n := len(elements); n > 0 {
		// The element that names the client was written by the proxy it spoke to; that
		// is a trusted one too, if it hid the client's address ("_hidden", "unknown").
		at := n - (len(chain) - 1)
		if at > 0 && trusted.Contains(peer) {
			at--
		}
		e := elements[at]
		proto, host = e.proto, e.host
	}
	if v := lastOf(h["X-Forwarded-Proto"]); v != "" {
		proto = v
	}
	// A balancer behind CloudFront writes into X-Forwarded-Proto how CloudFront
	// spoke to it; how the client did stands in a header of CloudFront's own.
	if v := lastOf(h["Cloudfront-Forwarded-Proto"]); v != "" && cloudfront {
		proto = v
	}
	if v := lastOf(h["X-Forwarded-Host"]); v != "" {
		host = v
	}
	if proto = strings.ToLower(proto); proto == "http" || proto == "https" {
		c.Proto, c.Told = proto, true
	}
	if host != "" && ValidHost(host) {
		c.Host = host
	}
	if v := lastOf(h["X-Forwarded-Port"]); validPort(v) {
		c.Port = v
	}
}

// lastOf returns the last element of a comma-separated header: what the
// nearest proxy said.
func lastOf(v []string) string {
	if len(v) == 0 {
		return ""
	}
	s := strings.TrimRight(v[len(v)-1], ", \t")
	return strings.TrimSpace(s[strings.LastIndexByte(s, ',')+1:])
}

// IsHeader reports whether a header, by its canonical name, tells of a client
// and so must not be taken from those that are not trusted. Names with
// underscores count as with hyphens: CGI-like interfaces (WSGI, PHP, Rack) cannot
// tell them apart.
func IsHeader(name string) bool {
	if name == "" || strings.IndexByte("FXPCfxpc", name[0]) < 0 {
		return false
	}
	if strings.IndexByte(name, '_') >= 0 {
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	}
	switch name {
	case "Forwarded", "Front-End-Https", "X-Request-Id", "X-Real-Ip", "X-Url-Scheme", "Cloudfront-Forwarded-Proto",
		"Proxy": // httpoxy: becomes HTTP_PROXY in CGI-like interfaces
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}
