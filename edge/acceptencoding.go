package edge

import "strings"

// An encoding is a way a static file is stored and sent.
type encoding int

const (
	identity encoding = iota
	gzipped
	zstandard
	brotlied
	encodings
)

// encodingNames are the content codings' names (RFC 9110, section 8.4.1).
var encodingNames = [encodings]string{"identity", "gzip", "zstd", "br"}

// acceptable is what an Accept-Encoding allows: a weight in thousandths for
// each encoding, 0 for what is refused.
type acceptable [encodings]int

// parseAcceptEncoding reads Accept-Encoding (RFC 9110, section 12.5.3). An
// element that is malformed says nothing. No header allows identity alone:
// what a client did not ask for, a cache between may not understand.
func parseAcceptEncoding(values []string) acceptable {
	const unset = -1
	a := acceptable{unset, unset, unset, unset}
	any := unset
	seen := 0
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if seen++; seen > 64 {
				break
			}
			name, params, weighted := strings.Cut(part, ";")
			q := 1000
			if weighted {
				var ok bool
				if q, ok = parseWeight(params); !ok {
					continue
				}
			}
			switch name = strings.TrimSpace(name); {
			case name == "*":
				any = q
			case strings.EqualFold(name, "x-gzip"):
				a[gzipped] = q
			default:
				for e, known := range encodingNames {
					if strings.EqualFold(name, known) {
						a[e] = q
					}
				}
			}
		}
	}
	for e := range a {
		switch {
		case a[e] != unset:
		case any != unset:
			a[e] = any
		case encoding(e) == identity:
			a[e] = 1 // allowed, after all that was named
		default:
			a[e] = 0
		}
	}
	return a
}

// parseWeight reads "q=0.5" in thousandths.
func parseWeight(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 3 || s[0]|0x20 != 'q' || s[1] != '=' {
		return 0, false
	}
	s = s[2:]
	if len(s) > 5 || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	q := int(s[0]-'0') * 1000
	scale := 100
	for i := 2; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		q += int(s[i]-'0') * scale
		scale /= 10
	}
	return q, q <= 1000
}
