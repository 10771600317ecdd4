package edge

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/forwarded"
)

// hopHeader reports whether a header, by its canonical name, belongs to one
// connection and is not passed on (RFC 9110, section 7.6.1). So are those that
// say how a message is read, spelt with an underscore: servers that make
// variables of fields (Rack, WSGI) read them as the true ones, and a body as
// another request.
func hopHeader(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
		"Transfer_encoding", "Content_length":
		return true
	}
	return false
}

// appendHead appends the request line and headers a target receives.
func (x *exchange) appendHead(b []byte, body *requestBody, upgrade string) []byte {
	r := x.r
	b = append(append(append(b, r.Method...), ' '), requestURI(r)...)
	host := r.Host
	if host == "" { // HTTP/1.0
		host = x.setup.Host
	}
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), host...), "\r\n"...)
	named := r.Header["Connection"]
	for name, values := range r.Header {
		if hopHeader(name) || name == "Content-Length" || name == "Expect" || forwarded.IsHeader(name) || len(named) > 0 && lists(named, name) {
			continue
		}
		for _, v := range values {
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	b = x.origin.appendHeaders(b)
	if lists(r.Header["Te"], "trailers") {
		b = append(b, "Te: trailers\r\n"...)
	}
	switch {
	case upgrade != "":
		b = append(append(append(b, "Connection: Upgrade\r\nUpgrade: "...), upgrade...), "\r\n"...)
	case body.chunked():
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		for name := range r.Trailer {
			b = append(append(append(b, "Trailer: "...), name...), "\r\n"...)
		}
	case body.length > 0 || r.Method != http.MethodGet && r.Method != http.MethodHead:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), body.length, 10), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

// lists reports whether a header that is a list of tokens has this one.
func lists(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			part, _, _ = strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// upgradeOf returns the protocol a request asks to switch to, "" if none or
// none that is passed on: h2c is not, for it would take requests past the edge
// unseen.
func upgradeOf(r *http.Request) string {
	up := r.Header["Upgrade"]
	if len(up) != 1 || r.ProtoMajor != 1 || r.ContentLength != 0 || !lists(r.Header["Connection"], "upgrade") {
		return ""
	}
	for part := range strings.SplitSeq(up[0], ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(part), "/")
		if tokenLen(name) != len(name) || name == "" || strings.EqualFold(name, "h2c") || strings.EqualFold(name, "tls") {
			return ""
		}
	}
	return up[0]
}

// stripHop removes from an answer's headers what belongs to one connection.
func stripHop(h http.Header) {
	for _, v := range h["Connection"] {
		for part := range strings.SplitSeq(v, ",") {
			delete(h, http.CanonicalHeaderKey(strings.TrimSpace(part)))
		}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		delete(h, name)
	}
}

// tokenLen returns the length of the token (RFC 9110, section 5.6.2) s begins
// with.
func tokenLen(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return i
	}
	return len(s)
}
