package respcache

import (
	"net/http"
	"strings"
)

// maxKey bounds scheme, host, path and query together; a request with more
// passes through.
const maxKey = 8 << 10

// appendKey appends what a request is cached by: scheme://host/path?query, the
// path and the query as they are written. False if it is not cached by anything.
func (c *Cache) appendKey(b []byte, r *http.Request) ([]byte, bool) {
	scheme, host, target := c.options().Site(r)
	return joinKey(b, scheme, host, target)
}

func joinKey(b []byte, scheme, host, target string) ([]byte, bool) {
	if len(scheme)+len(host)+len(target) > maxKey || !strings.HasPrefix(target, "/") || strings.ContainsAny(host, "/?#\\") {
		return b, false
	}
	b = append(append(b, scheme...), "://"...)
	host = strings.TrimSuffix(host, defaultPort(scheme))
	for i := 0; i < len(host); i++ {
		ch := host[i]
		if ch >= 'A' && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		b = append(b, ch)
	}
	return append(b, target...), true
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return ":443"
	}
	return ":80"
}

// splitKey takes a key apart: the host without port and what follows it, and
// the path with the query.
func splitKey(key string) (host, target string) {
	_, rest, _ := strings.Cut(key, "://")
	i := strings.IndexByte(rest, '/')
	if i < 0 {
		return rest, ""
	}
	host, target = rest[:i], rest[i:]
	host, _, _ = strings.Cut(host, " ")
	if j := strings.LastIndexByte(host, ':'); j > strings.LastIndexByte(host, ']') {
		host = host[:j]
	}
	return host, target
}
