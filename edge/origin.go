package edge

import (
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/dayfly-dev/dayfly/forwarded"
)

const requestIDChars = 32

// An origin is where a request came from, as far as it can be believed.
type origin struct {
	trusted bool   // the peer is in a trusted network
	told    bool   // and said proto
	client  string // address of the client; "" if unknown
	chain   string // X-Forwarded-For to pass on: the client first, the peer last
	proto   string // "http" or "https"
	host    string // the host the client asked
	port    string
	id      string // request id
}

// learn reads where r came from, and its id, as far as trusted lets it be
// believed.
func (o *origin) learn(r *http.Request, trusted *forwarded.Networks) {
	c := trusted.Read(r)
	o.trusted, o.told, o.client, o.chain, o.proto, o.host, o.port = c.Trusted, c.Told, c.Address, c.Chain, c.Proto, c.Host, c.Port
	if id := first(r.Header["X-Request-Id"]); o.trusted && validRequestID(id) {
		o.id = id
	} else {
		o.id = newRequestID()
	}
}

// tell puts the request's id into the answer's headers.
func (o *origin) tell(h http.Header) { h["X-Request-Id"] = []string{o.id} }

// appendID appends the request's id as a header of the answer.
func (o *origin) appendID(b []byte) []byte {
	return append(append(append(b, "X-Request-Id: "...), o.id...), "\r\n"...)
}

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
	b = append(o.appendID(b), "Forwarded: "...)
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

func first(v []string) string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
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
