package http1

import (
	"net/http"
	"net/url"
	"strings"
)

// maxBody is the largest body of a plain request, bytes.
const maxBody = 2 << 20

const (
	requestEnd = " HTTP/1.1"
	lineEnd    = "\r\n"
)

var blankLine = []byte("\r\n\r\n")

// head is a parsed request head. It is used for one request after another: its
// headers are taken back with the next parse.
type head struct {
	method string
	uri    string
	url    url.URL
	host   string
	length int64 // of the body, 0–maxBody; -1 in the making
	header http.Header
	values []string // one-element slices of this are the values of header
}

func newHead() *head { return &head{header: make(http.Header, 16), values: make([]string, 0, 16)} }

// parse reads the head of a plain request, up to and with its blank line, and
// reports whether it is one:
//
//   - one of the usual methods, a path beginning with one slash, HTTP/1.1;
//   - lines that end in CR LF, fields of a token, a colon and visible text;
//   - one Host, at most one Content-Length of at most maxBody;
//   - no field that says how to read the message or what to do with the
//     connection, except that it be kept.
//
// What net/http's ReadRequest would make of it is the same.
func (h *head) parse(b []byte) bool {
	n := methodLen(b)
	if n == 0 {
		return false
	}
	text := string(b) // every string of the request is a part of this one
	line, rest, _ := strings.Cut(text, lineEnd)
	target, ok := strings.CutSuffix(line[n+1:], requestEnd)
	if !ok || !h.parseTarget(target) {
		return false
	}
	h.method, h.host, h.length = text[:n], "", -1
	clear(h.header)
	h.values = h.values[:0]
	for rest != lineEnd {
		line, rest, _ = strings.Cut(rest, lineEnd)
		if !h.parseField(line) {
			return false
		}
	}
	h.length = max(h.length, 0)
	if h.header["Pragma"] != nil {
		h.addCacheControl()
	}
	return h.host != ""
}

// methods are those of plain requests; no other begins like one of them.
var methods = [...]string{"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"}

// methodLen is the length of the plain method that b begins with, a space behind
// it; 0 if it does not.
func methodLen(b []byte) int {
	for _, m := range methods {
		if len(b) > len(m) && string(b[:len(m)]) == m && b[len(m)] == ' ' {
			return len(m)
		}
	}
	return 0
}

// mayBegin reports whether b can become the head of a plain request.
func mayBegin(b []byte) bool {
	if methodLen(b) > 0 {
		return true
	}
	for _, m := range methods {
		if len(b) <= len(m) && m[:len(b)] == string(b) {
			return true
		}
	}
	return false
}

// parseTarget takes a path, with or without a query.
func (h *head) parseTarget(s string) bool {
	if s == "" || s[0] != '/' || len(s) > 1 && s[1] == '/' {
		return false
	}
	path, usual := len(s), true // where it ends, and whether it means itself
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f:
			return false
		case i > path:
		case c == '?':
			path = i
		case !pathByte[c]:
			usual = false
		}
	}
	h.uri, h.url = s, url.URL{Path: s[:path]}
	if path < len(s) {
		h.url.RawQuery, h.url.ForceQuery = s[path+1:], path+1 == len(s)
	}
	if usual {
		return true
	}
	u, err := url.ParseRequestURI(s)
	if err != nil {
		return false
	}
	h.url = *u
	return true
}

// pathByte says which bytes of a path are neither decoded nor encoded by
// net/url.
var pathByte = tableOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~$&+,/:;=@")

// splitField splits a line of a head into its canonical name and its value;
// false if it is not written in the usual way.
func splitField(line string) (key, value string, ok bool) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return "", "", false
	}
	key, known := canonical[name]
	if !known {
		if !isToken(name) {
			return "", "", false
		}
		key = http.CanonicalHeaderKey(name)
	}
	value = trim(value)
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", false
		}
	}
	return key, value, true
}

func (h *head) parseField(line string) bool {
	key, value, ok := splitField(line)
	if !ok {
		return false
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
	case "Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "Proxy-Connection", "Keep-Alive", "Http2-Settings":
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

// addCacheControl does for Pragma what net/http does (RFC 9111, section 5.4).
func (h *head) addCacheControl() {
	if h.header["Pragma"][0] == "no-cache" && h.header["Cache-Control"] == nil {
		h.header["Cache-Control"] = []string{"no-cache"}
	}
}

// trim takes spaces and tabs off both ends.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
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
		if !hostByte[s[i]] {
			return false
		}
	}
	return s != ""
}

var hostByte = tableOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:_[]")

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// tokenByte says which bytes a field's name may have (RFC 9110, section 5.6.2).
var tokenByte = tableOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")

func tableOf(bytes string) (t [256]bool) {
	for i := range len(bytes) {
		t[bytes[i]] = true
	}
	return t
}

// canonical has the names that clients of AWS, browsers and balancers send, as
// they send them.
var canonical = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Length", "Content-Type", "Host", "User-Agent",
		"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token",
		"X-Amz-Target", "X-Amz-User-Agent", "X-Amzn-Query-Mode", "Cookie", "Origin", "Referer", "Traceparent", "X-Amzn-Trace-Id",
		"Accept-Language", "Cache-Control", "Dnt", "Forwarded", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match",
		"Pragma", "Priority", "Range", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
		"Sec-Fetch-Site", "Sec-Fetch-User", "Sec-Gpc", "Upgrade-Insecure-Requests", "Via", "X-Amz-Cf-Id", "X-Csrf-Token",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id", "X-Requested-With",
	} {
		m[name] = name
		m[strings.ToLower(name)] = name
	}
	for _, name := range []string{"X-Amz-Content-SHA256", "amz-sdk-invocation-id", "amz-sdk-request", "DNT", "X-CSRF-Token", "X-Request-ID"} {
		m[name] = http.CanonicalHeaderKey(name)
	}
	return m
}()
