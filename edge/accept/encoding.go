// Package accept reads what a client says it can take.
package accept

import "strings"

// An Encoding is a content coding that the edge produces (RFC 9110, section
// 8.4.1).
type Encoding int

// Encodings is how many there are.
const (
	Identity Encoding = iota
	Gzip
	Zstd
	Brotli
	Encodings
)

var names = [Encodings]string{"identity", "gzip", "zstd", "br"}

// String is the coding's name in Content-Encoding.
func (e Encoding) String() string { return names[e] }

// Weights are what an Accept-Encoding allows: a weight in thousandths for each
// encoding, 0 for what is refused.
type Weights [Encodings]int

// maxElements of an Accept-Encoding are read; browsers send five.
const maxElements = 64

// ParseEncoding reads Accept-Encoding (RFC 9110, section 12.5.3). An element
// that is malformed says nothing. No header allows identity alone: what a
// client did not ask for, a cache between may not understand.
func ParseEncoding(values []string) Weights {
	const unset = -1
	a := Weights{unset, unset, unset, unset}
	any := unset
	seen := 0
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if seen++; seen > maxElements {
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
				a[Gzip] = q
			default:
				for e, known := range names {
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
		case Encoding(e) == Identity:
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
