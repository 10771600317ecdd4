package respcache

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
)

const (
	maxVary       = 32      // fields an answer may name
	maxVaryValues = 4 << 10 // bytes of their values in a request
)

// varyNames are the fields that Vary names, sorted; false if there are too many
// or one is "*".
func varyNames(values []string) ([]string, bool) {
	var names []string
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			if part == "*" || !isToken(part) || len(names) == maxVary {
				return nil, false
			}
			names = append(names, http.CanonicalHeaderKey(part))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// selecting is what the request has in the fields: equal for two requests that
// get the same answer (RFC 9111, section 4.1). False if it is too long.
func (c *Cache) selecting(b []byte, r *http.Request, names []string) ([]byte, bool) {
	return c.selectingOf(b, func(name string) []string { return c.field(r, name) }, names)
}

// selectingOf is selecting of a request with these fields.
func (c *Cache) selectingOf(b []byte, field func(string) []string, names []string) ([]byte, bool) {
	for _, name := range names {
		values := field(name)
		if values == nil {
			b = append(b, 0) // absent is not empty
		} else if name == "Accept-Encoding" {
			b = append(append(b, 1), c.encodings.form(values)...)
		} else {
			n := len(b)
			b = appendList(append(b, 1), values)
			if name == "Accept-Language" { // tags and ranges have no case (RFC 5646, section 2.1.1)
				copy(b[n:], bytes.ToLower(b[n:]))
			}
		}
		b = append(b, '\n')
		if len(b) > maxVaryValues {
			return b, false
		}
	}
	return b, true
}

// field is a request's field as the application sees it.
func (c *Cache) field(r *http.Request, name string) []string {
	if name == "Host" { // net/http took it out of the header
		return []string{r.Host}
	}
	if c.options().Field != nil {
		return c.options().Field(r, name)
	}
	return r.Header[name]
}

// appendList appends values as one list, without optional spaces: a difference
// in them, or in how a list is spread over lines, is none.
func appendList(b []byte, values []string) []byte {
	first := true
	for _, v := range values {
		for v != "" {
			var part string
			part, v = cutElement(v)
			if part == "" {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(b, part...)
		}
	}
	return b
}

// cutElement cuts up to the next comma outside quotes.
func cutElement(s string) (element, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return strings.Trim(s[:i], " \t"), s[i+1:]
		}
	}
	return strings.Trim(s, " \t"), ""
}

// appendEncodings appends an Accept-Encoding in one form for all that ask the
// same: codings in lower case, the heaviest first, equals by name.
func appendEncodings(b []byte, values []string) []byte {
	type coding struct {
		name string
		q    int // thousandths
	}
	var room [8]coding
	codings := room[:0]
	for _, v := range values {
		for v != "" {
			var part string
			part, v = cutElement(v)
			name, params, _ := strings.Cut(part, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if name == "x-gzip" {
				name = "gzip"
			}
			q := weight(params)
			if name == "" || len(codings) == maxVary {
				continue
			}
			codings = append(codings, coding{name, q})
		}
	}
	slices.SortStableFunc(codings, func(x, y coding) int {
		if x.q != y.q {
			return y.q - x.q
		}
		return strings.Compare(x.name, y.name)
	})
	for i, x := range codings {
		if i > 0 {
			// Whether two are equal or one is preferred is all that a choice goes by.
			b = append(b, map[bool]byte{true: ',', false: '>'}[codings[i-1].q == x.q])
		}
		if x.q == 0 {
			b = append(b, '!')
		}
		b = append(b, x.name...)
	}
	return b
}

// weight reads "q=0.5" among parameters in thousandths; 1000 if there is none.
func weight(params string) int {
	for part := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		whole, fraction, _ := strings.Cut(strings.TrimSpace(value), ".")
		if whole != "0" {
			return 1000
		}
		q := 0
		for i := range 3 {
			q *= 10
			if i < len(fraction) && fraction[i] >= '0' && fraction[i] <= '9' {
				q += int(fraction[i] - '0')
			}
		}
		return q
	}
	return 1000
}
