package compress

import (
	"strings"

	"github.com/dayfly-dev/dayfly/edge/accept"
)

// Outside, a strong tag says by its end which encoding it is of. A tag that an
// application itself ends like that gets an end that says "as it is", so that
// taking one end off always gives what the application said.
const asItIs = "-id"

var ends = [accept.Encodings]string{accept.Identity: asItIs, accept.Gzip: "-gzip", accept.Zstd: "-zstd", accept.Brotli: "-br"}

// keptEnds are of what is compressed once and kept.
var keptEnds = [accept.Encodings]string{accept.Identity: asItIs, accept.Gzip: "-kgzip", accept.Zstd: "-kzstd", accept.Brotli: "-kbr"}

// outsideKept is an application's strong entity tag of a body that is kept
// compressed.
func outsideKept(tag string, e accept.Encoding) string {
	if !strong(tag) {
		return tag
	}
	return tag[:len(tag)-1] + keptEnds[e] + `"`
}

// outside is an application's strong entity tag as clients see it.
func outside(tag string, e accept.Encoding) string {
	if !strong(tag) {
		return tag
	}
	opaque := tag[1 : len(tag)-1]
	if e == accept.Identity {
		if _, _, marked := cutEnd(opaque); !marked {
			return tag
		}
	}
	return `"` + opaque + ends[e] + `"`
}

// parseOutside is the way back: the application's tag, and of which encoding
// the client's was. It is false for what is not a strong tag.
func parseOutside(tag string) (own string, e accept.Encoding, ok bool) {
	tag = strings.TrimSpace(tag)
	if !strong(tag) {
		return "", 0, false
	}
	opaque, e, marked := cutEnd(tag[1 : len(tag)-1])
	if !marked {
		return tag, accept.Identity, true
	}
	return `"` + opaque + `"`, e, true
}

func cutEnd(opaque string) (rest string, e accept.Encoding, marked bool) {
	for _, all := range [...][accept.Encodings]string{ends, keptEnds} {
		for e, end := range all {
			if rest, ok := strings.CutSuffix(opaque, end); ok {
				return rest, accept.Encoding(e), true
			}
		}
	}
	return opaque, accept.Identity, false
}

// strong reports whether s is one strong entity tag (RFC 9110, section 8.8.3).
func strong(s string) bool { return len(s) >= 2 && s[0] == '"' && tagEnd(s) == len(s) }

// tagEnd returns where the entity tag ends that s begins with; 0 if it begins
// with none.
func tagEnd(s string) int {
	i := 0
	if strings.HasPrefix(s, "W/") {
		i = 2
	}
	if i >= len(s) || s[i] != '"' {
		return 0
	}
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c <= ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}

// inside translates the lists of If-None-Match and If-Match. A value that is
// not a list of tags stays as it is.
func inside(values []string) (own []string, changed bool) {
	for i, v := range values {
		if t := insideList(v); t != v {
			if !changed {
				own, changed = append([]string(nil), values...), true
			}
			own[i] = t
		}
	}
	return own, changed
}

func insideList(list string) string {
	var b []byte
	from := 0
	for tag := range tags(list) {
		own, _, ok := parseOutside(list[tag[0]:tag[1]])
		if ok && own != list[tag[0]:tag[1]] {
			b = append(append(b, list[from:tag[0]]...), own...)
			from = tag[1]
		}
	}
	if from == 0 {
		return list
	}
	return string(append(b, list[from:]...))
}

// tags goes through the tags of a list as [start, end), up to what is not one.
func tags(list string) func(yield func([2]int) bool) {
	return func(yield func([2]int) bool) {
		for i := 0; i < len(list); {
			if c := list[i]; c == ' ' || c == '\t' || c == ',' {
				i++
				continue
			}
			n := tagEnd(list[i:])
			if n == 0 || !yield([2]int{i, i + n}) {
				return
			}
			i += n
		}
	}
}

// confirmed is the tag of a 304: that of the client's representation which the
// application says is current, in the encoding it would get now if it has that.
func confirmed(asked []string, tag string, now accept.Encoding) string {
	if !strong(tag) {
		return tag
	}
	found, want := "", outside(tag, now)
	for _, v := range asked {
		for at := range tags(v) {
			switch had := v[at[0]:at[1]]; {
			case had == want:
				return want
			case found != "":
			case had == "W/"+tag:
				found = had
			default:
				if own, _, ok := parseOutside(had); ok && own == tag {
					found = had
				}
			}
		}
	}
	if found != "" {
		return found
	}
	return outside(tag, accept.Identity)
}
