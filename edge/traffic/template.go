package traffic

import "strings"

const (
	maxSegments = 4  // of an address that are told apart
	maxNames    = 40 // below one address, before they are taken for values
	maxSegment  = 24 // bytes of a name
	maxDigits   = 2  // of a name
)

// Segments of a template that stand for others.
const (
	anyID   = "{id}"   // what is no name: numbers, hex, UUIDs, dates, versions, what is long
	anyName = "{name}" // below an address that has more than maxNames
	deeper  = "*"      // all that is below
)

// A template is a path's segments with those replaced that look like values.
type template struct {
	segments [maxSegments + 1]string // parts of the path, or constants
	n        int
}

// templateOf reports false for what is no path. Empty segments and those of a
// dot do not count, as most applications have it; so /a and /a/ are one.
func templateOf(path string) (t template, ok bool) {
	if path == "" || path[0] != '/' {
		return t, false
	}
	for rest := path[1:]; rest != ""; {
		var s string
		s, rest, _ = strings.Cut(rest, "/")
		switch {
		case s == "" || s == ".":
		case s == "..":
			return t, false
		case t.n == maxSegments:
			t.segments[t.n] = deeper
			t.n++
			return t, true
		default:
			if !isName(s) {
				s = anyID
			}
			t.segments[t.n] = s
			t.n++
		}
	}
	return t, true
}

// isName reports whether a segment looks like one that is written in a program,
// and not like a value.
func isName(s string) bool {
	if len(s) > maxSegment {
		return false
	}
	digits, hex := 0, true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c|0x20 >= 'a' && c|0x20 <= 'f':
		case c|0x20 >= 'g' && c|0x20 <= 'z' || c == '-' || c == '_' || c == '.' || c == '~':
			hex = false
		default:
			return false
		}
	}
	return digits <= maxDigits && digits < len(s) && !(hex && digits > 0 && len(s) >= 8)
}

// name is how a template is shown.
func (t *template) name() string {
	if t.n == 0 {
		return "/"
	}
	return "/" + strings.Join(t.segments[:t.n], "/")
}

// clone has segments of its own.
func (t *template) clone() template {
	for i, s := range t.segments[:t.n] {
		t.segments[i] = strings.Clone(s)
	}
	return *t
}
