package http1

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
)

// maxBody is the largest body of a plain request, bytes.
const maxBody = 2 << 20

var (
	requestStart = []byte("POST ")
	requestEnd   = []byte(" HTTP/1.1")
	blankLine    = []byte("\r\n\r\n")
)

// head is a parsed request head. It is used for one request after another: its
// headers are taken back with the next parse.
type head struct {
	uri    string
	url    url.URL
	host   string
	length int64 // of the body, 0–maxBody; -1 in the making
	header http.Header
	values []string // one-element slices of this are the values of header
}

// parse reads the head of a plain request, up to and with its blank line, and
// reports whether it is one:
//
//   - POST, a path beginning with one slash, HTTP/1.1;
//   - lines that end in CR LF, fields of a token, a colon and visible text;
//   - one Host, at most one Content-Length of at most maxBody;
//   - no field that says how to read the message or what to do with the
//     connection, except that it be kept.
//
// What net/http's ReadRequest would make of it is the same.
func (h *head) parse(b []byte) bool {
	if !bytes.HasPrefix(b, requestStart) {
		return false
	}
	text := string(b) // every string of the request is a part of this one
	line, rest, _ := strings.Cut(text, "\r\n")
	target, ok := strings.CutSuffix(line[len(requestStart):], string(requestEnd))
	if !ok || !h.parseTarget(target) {
		return false
	}
	h.host, h.length = "", -1
	clear(h.header)
	h.values = h.values[:0]
	for rest != "\r\n" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		if !h.parseField(line) {
			return false
		}
	}
	h.length = max(h.length, 0)
	return h.host != ""
}

// parseTarget takes a path, with or without a query.
func (h *head) parseTarget(s string) bool {
	if s == "/" {
		h.uri, h.url = s, url.URL{Path: s}
		return true
	}
	if s == "" || s[0] != '/' || len(s) > 1 && s[1] == '/' {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	u, err := url.ParseRequestURI(s)
	if err != nil {
		return false
	}
	h.uri, h.url = s, *u
	return true
}

func (h *head) parseField(line string) bool {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return false
	}
	key, known := canonical[name]
	if !known {
		if !isToken(name) {
			return false
		}
		key = http.CanonicalHeaderKey(name)
	}
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	switch key {
	case "Host":
		if h.host != "" || !plainHost(value) {
			return false
		}
		h.host = value
		return true // net/http has it in Request.Host alone
	case "Content-Length":
		n, ok := parseLength(value)
		if !ok || h.length >= 0 {
			return false
		}
		h.length = n
	case "Connection":
		if !strings.EqualFold(value, "keep-alive") {
			return false
		}
	case "Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "Pragma", "Proxy-Connection", "Keep-Alive", "Http2-Settings":
		return false
	}
	h.add(key, value)
	return true
}

func (h *head) add(key, value string) {
	if old, twice := h.header[key]; twice {
		h.header[key] = append(old, value) // beyond its capacity of one: a new slice
		return
	}
	h.values = append(h.values, value)
	n := len(h.values)
	h.header[key] = h.values[n-1 : n : n]
}

// parseLength reads 1 to 7 digits.
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 7 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n, n <= maxBody
}

// plainHost reports whether s is a name or address, with or without a port, in
// the usual letters.
func plainHost(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '.', c == '-', c == ':', c == '_', c == '[', c == ']':
		default:
			return false
		}
	}
	return s != ""
}

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// tokenByte says which bytes a field's name may have (RFC 9110, section 5.6.2).
var tokenByte = func() (t [256]bool) {
	for c := range t {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
	}
	return t
}()

// canonical has the names that clients of AWS send, as they send them.
var canonical = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Length", "Content-Type", "Host", "User-Agent",
		"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token",
		"X-Amz-Target", "X-Amz-User-Agent", "X-Amzn-Query-Mode", "Cookie", "Origin", "Referer", "Traceparent", "X-Amzn-Trace-Id",
	} {
		m[name] = name
		m[strings.ToLower(name)] = name
	}
	for _, name := range []string{"X-Amz-Content-SHA256", "amz-sdk-invocation-id", "amz-sdk-request"} {
		m[name] = http.CanonicalHeaderKey(name)
	}
	return m
}()
