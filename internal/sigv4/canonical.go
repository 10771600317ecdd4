package sigv4

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// appendCanonical appends the canonical request: method, path, query, headers,
// names of the headers, hash of the body.
func appendCanonical(b []byte, r *http.Request, c *Claim, path, hash string) []byte {
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = appendEscaped(b, path, true)
	b = append(b, '\n')
	b = appendQuery(b, r.URL.RawQuery, c.Presigned)
	b = append(b, '\n')
	for rest, more := c.SignedHeaders, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, ";")
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, c.SignedHeaders...)
	b = append(b, '\n')
	return append(b, hash...)
}

// wirePath is the path as the client wrote it. The one of r.URL may have been
// encoded anew.
func wirePath(r *http.Request) string {
	p := r.RequestURI
	if p == "" || p[0] != '/' { // made in process, or an absolute address
		p = r.URL.EscapedPath()
	}
	p, _, _ = strings.Cut(p, "?")
	if p == "" {
		return "/"
	}
	return p
}

// cleanPath is a path without empty, "." and ".." segments. The specification
// signs it so; aws-sdk-go-v2 and others sign the path as it is.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// appendEscaped percent-encodes as RFC 3986 says: everything but letters,
// digits, - . _ ~, and / where slash is true.
func appendEscaped(b []byte, s string, slash bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' || slash && c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// appendQuery appends the parameters, encoded and then sorted; of a presigned
// request all but the signature itself.
func appendQuery(b []byte, raw string, presigned bool) []byte {
	if raw == "" {
		return b
	}
	var pairs []string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		if presigned && name == "X-Amz-Signature" {
			continue
		}
		e := appendEscaped(nil, unescaped(name), false)
		e = append(e, '=')
		pairs = append(pairs, string(appendEscaped(e, unescaped(value), false)))
	}
	// By name, then by value: '=' must not take part in the comparison, as
	// it sorts after - and . and digits.
	slices.SortFunc(pairs, func(x, y string) int {
		xn, xv, _ := strings.Cut(x, "=")
		yn, yv, _ := strings.Cut(y, "=")
		if c := strings.Compare(xn, yn); c != 0 {
			return c
		}
		return strings.Compare(xv, yv)
	})
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p...)
	}
	return b
}

func unescaped(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// appendHeader appends the values of a header, given in lower case, with
// blanks trimmed and runs of them made one.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch name {
	case "host":
		return appendTrimmed(b, r.Host)
	case "content-length":
		if len(r.Header["Content-Length"]) == 0 && r.ContentLength >= 0 {
			return strconv.AppendInt(b, r.ContentLength, 10)
		}
	}
	var key [128]byte
	if len(name) > len(key) {
		return b
	}
	for i, v := range r.Header[string(canonicalKey(key[:0], name))] {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTrimmed(b, v)
	}
	return b
}

// canonicalKey is http.CanonicalHeaderKey for a name in lower case, without
// the allocation that costs for names it does not know.
func canonicalKey(b []byte, name string) []byte {
	up := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		if up && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		up = c == '-'
		b = append(b, c)
	}
	return b
}

func appendTrimmed(b []byte, v string) []byte {
	v = strings.TrimSpace(v)
	if !strings.Contains(v, "  ") {
		return append(b, v...)
	}
	for i := 0; i < len(v); i++ {
		if v[i] == ' ' && v[i-1] == ' ' {
			continue
		}
		b = append(b, v[i])
	}
	return b
}

// unsigned returns a header that must be signed and is not, or "". All x-amz-
// headers change what a request means, X-Amz-Target most of all.
func unsigned(r *http.Request, signed string) string {
	if !listed(signed, "host") {
		return "host"
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") && !listed(signed, name) {
			return strings.ToLower(name)
		}
	}
	return ""
}

// listed reports whether a list joined by ";" has a name, in whatever case.
func listed(list, name string) bool {
	for more := true; more; {
		var item string
		item, list, more = strings.Cut(list, ";")
		if len(item) == len(name) && strings.EqualFold(item, name) {
			return true
		}
	}
	return false
}
