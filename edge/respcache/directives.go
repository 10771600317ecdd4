package respcache

import (
	"strconv"
	"strings"
	"time"
)

// directives are those of a Cache-Control that a shared cache heeds (RFC 9111,
// section 5.2; RFC 5861; RFC 8246 needs nothing of it). A duration below zero is
// one that was not given.
type directives struct {
	noStore, noCache, private, public   bool
	mustRevalidate, proxyRevalidate     bool
	mustUnderstand, onlyIfCached        bool
	maxAge, sMaxAge, maxStale, minFresh time.Duration
	staleWhileRevalidate, staleIfError  time.Duration
	noCacheFields, privateFields        string // the fields of the qualified forms
	noCacheQualified, privateQualified  bool
}

const (
	unset = time.Duration(-1)
	// maxDelta is the largest delta-seconds (RFC 9111, section 1.2.2).
	maxDelta = time.Duration(1<<31) * time.Second
	// maxDirectives bounds what is read of a field; what is beyond it makes the
	// whole as if it said no-store.
	maxDirectives = 100
)

// parseDirectives reads the values of a Cache-Control. Names are compared
// without case; of a directive given twice the first counts; a number that is
// none counts as zero, for then the answer is not to be called fresh (section
// 4.2.1).
func parseDirectives(values []string) directives {
	d := directives{maxAge: unset, sMaxAge: unset, maxStale: unset, minFresh: unset, staleWhileRevalidate: unset, staleIfError: unset}
	n := 0
	for _, s := range values {
		for s != "" {
			var name, arg string
			var has bool
			name, arg, has, s = cutDirective(s)
			if name == "" {
				continue
			}
			if n++; n > maxDirectives {
				d.noStore = true
				return d
			}
			d.set(name, arg, has)
		}
	}
	return d
}

func (d *directives) set(name, arg string, has bool) {
	switch {
	case strings.EqualFold(name, "max-age"):
		delta(&d.maxAge, arg)
	case strings.EqualFold(name, "s-maxage"):
		delta(&d.sMaxAge, arg)
	case strings.EqualFold(name, "max-stale"):
		if !has {
			arg = "2147483648"
		}
		delta(&d.maxStale, arg)
	case strings.EqualFold(name, "min-fresh"):
		delta(&d.minFresh, arg)
	case strings.EqualFold(name, "stale-while-revalidate"):
		delta(&d.staleWhileRevalidate, arg)
	case strings.EqualFold(name, "stale-if-error"):
		delta(&d.staleIfError, arg)
	case strings.EqualFold(name, "no-store"):
		d.noStore = true
	case strings.EqualFold(name, "no-cache"):
		if has && arg != "" {
			d.noCacheQualified, d.noCacheFields = true, d.noCacheFields+","+arg
		} else {
			d.noCache = true
		}
	case strings.EqualFold(name, "private"):
		if has && arg != "" {
			d.privateQualified, d.privateFields = true, d.privateFields+","+arg
		} else {
			d.private = true
		}
	case strings.EqualFold(name, "public"):
		d.public = true
	case strings.EqualFold(name, "must-revalidate"):
		d.mustRevalidate = true
	case strings.EqualFold(name, "proxy-revalidate"):
		d.proxyRevalidate = true
	case strings.EqualFold(name, "must-understand"):
		d.mustUnderstand = true
	case strings.EqualFold(name, "only-if-cached"):
		d.onlyIfCached = true
	}
}

// delta sets a duration from delta-seconds, unless it was set.
func delta(d *time.Duration, arg string) {
	if *d == unset {
		*d = max(0, parseDelta(arg))
	}
}

// parseDelta reads delta-seconds; unset if it is none.
func parseDelta(s string) time.Duration {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return unset
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(maxDelta/time.Second) {
		return maxDelta
	}
	return time.Duration(n) * time.Second
}

// cutDirective cuts the first element off a list of token [ "=" ( token /
// quoted-string ) ]. What is not of that form is skipped to the next comma, and
// its name is empty.
func cutDirective(s string) (name, arg string, has bool, rest string) {
	s = strings.TrimLeft(s, " \t,")
	n := tokenLen(s)
	name, s = s[:n], s[n:]
	if strings.HasPrefix(s, "=") {
		has, s = true, s[1:]
		if strings.HasPrefix(s, `"`) {
			var ok bool
			if arg, s, ok = cutQuoted(s[1:]); !ok {
				return "", "", false, ""
			}
		} else {
			end := strings.IndexAny(s, ", \t")
			if end < 0 {
				end = len(s)
			}
			arg, s = s[:end], s[end:]
		}
	}
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] == ',' {
		return name, arg, has, strings.TrimPrefix(s, ",")
	}
	_, rest, _ = strings.Cut(s, ",")
	if has && name != "" {
		return name, "?", true, rest // a number that is none, a list that says nothing
	}
	return "", "", false, rest
}

// cutQuoted reads a quoted-string after its opening quote.
func cutQuoted(s string) (value, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return unescape(s[:i]), s[i+1:], true
		case '\\':
			i++
		}
	}
	return "", "", false
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// tokenLen is the length of the token (RFC 9110, section 5.6.2) s begins with.
func tokenLen(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			continue
		}
		return i
	}
	return len(s)
}

func isToken(s string) bool { return s != "" && tokenLen(s) == len(s) }

// lists reports whether a header that is a list of tokens has this one,
// without case.
func lists(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			part, _, _ = strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}
