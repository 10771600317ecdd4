package refs

import (
	"bytes"
	"html"
	"slices"
	"strings"
)

const space = "\t\n\f\r "

func isSpace(c byte) bool { return strings.IndexByte(space, c) >= 0 }

// maxAttributes is how many of one tag are read.
const maxAttributes = 100

// An Attribute is one of a tag.
type Attribute struct {
	Name       string // lower case
	Value      string // with entities replaced
	Start, End int    // of the value in the tag, without quotes
	Bare       bool   // it has none
	Given      bool   // there is a value, if an empty one

	shift []int // where each byte of Value begins, from Start; nil: it is written as it is
}

// Attributes takes a start tag apart, "<name …>": HTML, sections 13.2.5.32 to
// 13.2.5.40. Of those with one name the first counts; one without a value has
// an empty one.
func Attributes(tag []byte) (element string, all []Attribute) {
	is := func(i int, set string) bool { return i < len(tag) && strings.IndexByte(set, tag[i]) >= 0 }
	end := len(tag)
	if end > 0 && tag[end-1] == '>' {
		end--
	}
	i := min(1, end)
	for i < end && !is(i, space+"/") {
		i++
	}
	element = strings.ToLower(string(tag[min(1, end):i]))
	for len(all) < maxAttributes {
		for i < end && is(i, space+"/") {
			i++
		}
		if i >= end {
			break
		}
		start := i
		for i++; i < end && !is(i, space+"/="); i++ { // "=" may be its first
		}
		a := Attribute{Name: strings.ToLower(string(tag[start:i])), Start: i, End: i, Bare: true}
		next := i
		for next < end && is(next, space) {
			next++
		}
		if next < end && tag[next] == '=' {
			for next++; next < end && is(next, space); next++ {
			}
			i = a.read(tag[:end], next)
		}
		if !slices.ContainsFunc(all, func(b Attribute) bool { return b.Name == a.Name }) {
			all = append(all, a)
		}
	}
	return element, all
}

// read takes the value that begins at an offset and returns where it ends.
func (a *Attribute) read(tag []byte, i int) (after int) {
	a.Given = true
	if i < len(tag) && (tag[i] == '"' || tag[i] == '\'') {
		n := bytes.IndexByte(tag[i+1:], tag[i])
		if n < 0 {
			n = len(tag) - i - 1
		}
		a.Start, a.End, a.Bare = i+1, i+1+n, false
		after = min(a.End+1, len(tag))
	} else {
		for after = i; after < len(tag) && !isSpace(tag[after]); after++ {
		}
		a.Start, a.End = i, after
	}
	a.Value, a.shift = unescaped(string(tag[a.Start:a.End]))
	return after
}

// unescaped replaces the entities of an attribute's value, and says where each
// byte of the result begins, and where all ends; nil if there are none. In
// attributes an entity without semicolon is none before "=", a letter or a digit
// (HTML, section 13.2.5.73).
func unescaped(raw string) (text string, shift []int) {
	if strings.IndexByte(raw, '&') < 0 {
		return raw, nil
	}
	var out strings.Builder
	for i := 0; i < len(raw); {
		n := entity(raw[i:])
		piece := raw[i : i+max(n, 1)]
		if n > 0 {
			piece = html.UnescapeString(piece)
		}
		for range len(piece) {
			shift = append(shift, i)
		}
		out.WriteString(piece)
		i += max(n, 1)
	}
	return out.String(), append(shift, len(raw))
}

// maxEntity is longer than the longest that there is, in bytes.
const maxEntity = 40

// entity is the length of the one that a text begins with; 0: it does with none.
func entity(s string) int {
	if len(s) < 2 || s[0] != '&' {
		return 0
	}
	letter := isAlphanumeric
	n := 1
	if s[1] == '#' {
		n, letter = 2, isDigit
		if len(s) > 2 && s[2]|0x20 == 'x' {
			n, letter = 3, isHex
		}
	}
	first := n
	for n < len(s) && n < maxEntity && letter(s[n]) {
		n++
	}
	closed := n < len(s) && s[n] == ';'
	switch {
	case n == first:
		return 0
	case s[1] == '#' && closed:
		return n + 1
	case s[1] == '#':
		return n
	}
	name := s[:n]
	full := html.UnescapeString(name + ";")
	switch {
	case full != ";" && strings.HasSuffix(full, ";"): // there is no such, or only a beginning is one
		return 0
	case closed:
		return n + 1
	case html.UnescapeString(name) == full && (n == len(s) || s[n] != '='): // one of the old ones
		return n
	}
	return 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isAlphanumeric(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' }
