package edge

import (
	"net/http"
	"strings"
)

// rangeAsked reports whether a request is for parts of a file: ranges are
// defined for GET, and those of units other than bytes are ignored (RFC 9110,
// section 14.2).
func rangeAsked(r *http.Request) bool {
	v := r.Header["Range"]
	return len(v) == 1 && r.Method == http.MethodGet && strings.HasPrefix(v[0], "bytes=")
}

// current reports whether a list of entity tags has that of one of the file's
// encodings, strongly compared (RFC 9110, section 13.1.1).
func (f *staticFile) current(values []string) bool {
	for _, v := range values {
		if strings.TrimSpace(v) == "*" {
			return true
		}
		for part := range strings.SplitSeq(v, ",") { // our tags hold no comma
			for e := range f.variants {
				if v := f.variants[e].Load(); v != nil && strings.TrimSpace(part) == v.etag[0] {
					return true
				}
			}
		}
	}
	return false
}

// matchesETag reports whether a list of entity tags has this one, weakly
// compared (RFC 9110, section 13.1.2).
func matchesETag(values []string, etag string) bool {
	for _, v := range values {
		if strings.TrimSpace(v) == "*" {
			return true
		}
		for part := range strings.SplitSeq(v, ",") { // our tags hold no comma
			if strings.TrimPrefix(strings.TrimSpace(part), "W/") == etag {
				return true
			}
		}
	}
	return false
}
