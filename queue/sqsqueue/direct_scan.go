package sqsqueue

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"
)

// scanner reads JSON of a known shape. Its methods report false for what they
// do not read, be it wrong or only unusual; then what was read means nothing.
type scanner struct {
	b []byte
	i int // the next byte
}

// seen are the members that an object had, by number.
type seen uint8

// first reports whether this is the first of a member.
func (s *seen) first(i int) bool {
	bit := seen(1) << i
	was := *s & bit
	*s |= bit
	return was == 0
}

// take skips space, and the byte if it is the next.
func (s *scanner) take(c byte) bool {
	if s.ended() || s.b[s.i] != c {
		return false
	}
	s.i++
	return true
}

// ended skips space, and reports whether nothing is left.
func (s *scanner) ended() bool {
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
		default:
			return false
		}
	}
	return true
}

// object reads an object, whose values member reads.
func (s *scanner) object(member func(name []byte) bool) bool {
	if !s.take('{') {
		return false
	}
	for first := true; !s.take('}'); first = false {
		if !first && !s.take(',') {
			return false
		}
		name, ok := s.plain()
		if !ok || !s.take(':') || !member(name) {
			return false
		}
	}
	return true
}

// list reads a list, whose values one reads.
func (s *scanner) list(one func() bool) bool {
	if !s.take('[') {
		return false
	}
	for first := true; !s.take(']'); first = false {
		if !first && !s.take(',') || !one() {
			return false
		}
	}
	return true
}

// plain reads a string without escapes, of ASCII.
func (s *scanner) plain() ([]byte, bool) {
	raw, escaped, ascii := s.quoted()
	return raw, raw != nil && !escaped && ascii
}

// skipText reads a string that is of no interest.
func (s *scanner) skipText() bool {
	_, ok := s.plain()
	return ok
}

// text reads a string.
func (s *scanner) text(into *string) bool {
	raw, escaped, ascii := s.quoted()
	if raw == nil || !ascii && !utf8.Valid(raw) {
		return false
	}
	if !escaped {
		*into = string(raw)
		return true
	}
	var b strings.Builder
	b.Grow(len(raw))
	ok := unescape(&b, raw)
	*into = b.String()
	return ok
}

// quoted finds a string and returns what is between its quotes, nil if it is
// none.
func (s *scanner) quoted() (raw []byte, escaped, ascii bool) {
	if !s.take('"') {
		return nil, false, false
	}
	ascii = true
	for i := s.i; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			raw = s.b[s.i:i]
			s.i = i + 1
			return raw, escaped, ascii
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return nil, false, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false, false
}

// unescape writes what a string's inside means. Surrogates are left to
// encoding/json.
func unescape(b *strings.Builder, raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			b.Write(raw)
			return true
		}
		b.Write(raw[:i])
		c := raw[i+1] // quoted found the string's end behind it
		raw = raw[i+2:]
		switch c {
		case '"', '\\', '/':
			b.WriteByte(c)
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, ok := hexRune(raw)
			if !ok {
				return false
			}
			b.WriteRune(r)
			raw = raw[4:]
		default:
			return false
		}
	}
}

// hexRune reads the four digits of an escape; false for half a character.
func hexRune(raw []byte) (r rune, ok bool) {
	if len(raw) < 4 {
		return 0, false
	}
	for _, c := range raw[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, utf8.ValidRune(r)
}

// digits reads a string that is a number of at most 18 digits.
func (s *scanner) digits() (n int64, ok bool) {
	raw, ok := s.plain()
	if !ok || len(raw) == 0 || len(raw) > 18 {
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// milliseconds reads a time, in milliseconds since 1970.
func (s *scanner) milliseconds(into *time.Time) bool {
	n, ok := s.digits()
	*into = time.UnixMilli(n)
	return ok
}
