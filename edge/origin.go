package edge

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const (
	maxHops        = 32      // addresses of a forwarding chain that are looked at
	maxForwarded   = 8 << 10 // bytes of a forwarding header that are looked at
	requestIDChars = 32
)

// An origin is where a request came from, as far as it can be believed.
type origin struct {
	trusted bool   // the peer is in a trusted network
	client  string // address of the client; "" if unknown
	chain   string // X-Forwarded-For to pass on: the client first, the peer last
	proto   string // "http" or "https"
	host    string // the host the client asked
	port    string
	id      string // request id
}

// learn reads where r came from. What the request's headers say counts only if
// the peer is trusted, and of a chain of addresses only the part that trusted
// peers wrote: from the right up to the first address that is not trusted.
func (o *origin) learn(r *http.Request, trusted []netip.Prefix) {
	o.proto, o.host = "http", r.Host
	if r.TLS != nil {
		o.proto = "https"
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		o.client, o.chain = host, host
	}
	if len(trusted) > 0 {
		if peer, err := netip.ParseAddr(o.client); err == nil && contains(trusted, peer) {
			o.trusted = true
			o.believe(r.Header, peer, trusted)
		}
	}
	if o.port == "" {
		o.port = portOf(o.host, o.proto)
	}
	if id := first(r.Header["X-Request-Id"]); o.trusted && validRequestID(id) {
		o.id = id
	} else {
		o.id = newRequestID()
	}
}

// believe takes over what a trusted peer says of the client.
func (o *origin) believe(h http.Header, peer netip.Addr, trusted []netip.Prefix) {
	var hops []netip.Addr // nearest last
	var proto, host string
	if xff := h["X-Forwarded-For"]; len(xff) > 0 {
		hops = parseHops(strings.Join(xff, ","))
	} else if f := h["Forwarded"]; len(f) > 0 {
		elements := parseForwarded(strings.Join(f, ","))
		hops = hopsOf(elements)
		if n := len(elements); n > 0 {
			proto, host = elements[n-1].proto, elements[n-1].host
		}
	}
	chain := []string{o.client}
	for i := len(hops) - 1; i >= 0; i-- {
		if !contains(trusted, peer) {
			break
		}
		peer = hops[i]
		chain = append([]string{peer.String()}, chain...)
	}
	o.client, o.chain = chain[0], strings.Join(chain, ", ")
	if v := lastOf(h["X-Forwarded-Proto"]); v != "" {
		proto = v
	}
	if v := lastOf(h["X-Forwarded-Host"]); v != "" {
		host = v
	}
	if proto = strings.ToLower(proto); proto == "http" || proto == "https" {
		o.proto = proto
	}
	if host != "" && validHost(host) {
		o.host = host
	}
	if v := lastOf(h["X-Forwarded-Port"]); validPort(v) {
		o.port = v
	}
}

// tell puts the request's id into the answer's headers.
func (o *origin) tell(h http.Header) { h["X-Request-Id"] = []string{o.id} }

// appendHeaders appends the forwarding headers a target receives.
func (o *origin) appendHeaders(b []byte) []byte {
	if o.chain != "" {
		b = append(append(append(b, "X-Forwarded-For: "...), o.chain...), "\r\n"...)
	}
	b = append(append(append(b, "X-Forwarded-Proto: "...), o.proto...), "\r\n"...)
	if o.host != "" {
		b = append(append(append(b, "X-Forwarded-Host: "...), o.host...), "\r\n"...)
	}
	b = append(append(append(b, "X-Forwarded-Port: "...), o.port...), "\r\n"...)
	b = append(append(append(b, "X-Request-Id: "...), o.id...), "\r\n"...)
	b = append(b, "Forwarded: "...)
	b = o.appendForwarded(b)
	return append(b, "\r\n"...)
}

// appendForwarded appends the value of Forwarded (RFC 7239): one element a
// hop; the first, of the client, also says what the client asked.
func (o *origin) appendForwarded(b []byte) []byte {
	rest := o.chain
	if rest == "" {
		rest = "unknown"
	}
	for i := 0; rest != ""; i++ {
		var hop string
		hop, rest, _ = strings.Cut(rest, ", ")
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, "for="...)
		if strings.IndexByte(hop, ':') >= 0 {
			b = append(append(append(b, `"[`...), hop...), `]"`...)
		} else {
			b = append(b, hop...)
		}
		if i == 0 {
			if o.host != "" {
				b = append(append(append(b, `;host="`...), o.host...), '"')
			}
			b = append(append(b, ";proto="...), o.proto...)
		}
	}
	return b
}

// ownHeader reports whether a request's header, by its canonical name, is one
// the edge itself sets or answers for, so that a client's is not passed on.
// Names with underscores count as with hyphens: CGI-like interfaces (WSGI,
// PHP, Rack) cannot tell them apart.
func ownHeader(name string) bool {
	switch name[0] {
	case 'F', 'X', 'P', 'f', 'x', 'p':
	default:
		return false
	}
	if strings.IndexByte(name, '_') >= 0 {
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	}
	switch name {
	case "Forwarded", "Front-End-Https", "X-Request-Id", "X-Real-Ip", "X-Url-Scheme",
		"Proxy": // httpoxy: becomes HTTP_PROXY in CGI-like interfaces
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

func first(v []string) string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// lastOf returns the last element of a comma-separated header: what the
// nearest proxy said.
func lastOf(v []string) string {
	if len(v) == 0 {
		return ""
	}
	s := v[len(v)-1]
	return strings.TrimSpace(s[strings.LastIndexByte(s, ',')+1:])
}

func portOf(host, proto string) string {
	if _, port := splitHost(host); port != "" {
		return port
	}
	if proto == "https" {
		return "443"
	}
	return "80"
}

func validPort(s string) bool {
	return len(s) >= 1 && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// validRequestID accepts 8–128 characters that are harmless in logs, headers
// and addresses; UUIDs and the ids of AWS's balancers ("Root=1-…") are of them.
func validRequestID(s string) bool {
	if len(s) < 8 || len(s) > 128 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-_.=:+/", c) >= 0 {
			continue
		}
		return false
	}
	return true
}

// newRequestID makes 128 random bits in hex. They come from the runtime's
// ChaCha8 source: not to be guessed, and free of system calls.
func newRequestID() string {
	const hex = "0123456789abcdef"
	var b [requestIDChars]byte
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := range 16 {
		b[i], b[16+i] = hex[hi&15], hex[lo&15]
		hi, lo = hi>>4, lo>>4
	}
	return string(b[:])
}
