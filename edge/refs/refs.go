// Package refs finds the references in the files that a website is made of: pages,
// style sheets, scripts, source maps. It says where each stands, what it says and
// what it is for, and writes another in its place; every other byte stays.
//
// It reads as browsers do where that matters for references: attributes and their
// entities, comments, raw text and CDATA of HTML; escapes, comments and functions
// of CSS; strings, templates, regular expressions and comments of JavaScript. One
// language stands within another: a style attribute with entities is read, too.
//
// Time and memory are in proportion to a file's size, however it is nested.
// MaxRefs references of a file are found at most, and nothing behind a tag of more
// than MaxTag bytes.
package refs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

const (
	// MaxRefs is how many references of one file are found.
	MaxRefs = 200_000
	// MaxTag is the size in bytes of the longest tag that is read.
	MaxTag = 1 << 20
)

// Kind is what a reference is for.
type Kind int

const (
	// Load: a browser loads it as part of the page or the style sheet.
	Load Kind = iota
	// Link leads a person, a crawler or a script elsewhere.
	Link
	// Absolute is read away from its page, and so has its host: canonical, og:image.
	Absolute
	// Form is what a form is sent to.
	Form
	// Base is what the references behind it are relative to. The first of a page
	// counts.
	Base
	// Module is a module's specifier: a name unless it begins with "./", "../" or
	// "/", or has a scheme.
	Module
	// Debug is loaded by debuggers only: source maps, and sources.
	Debug
	// Integrity is no reference, but the hash of what Ref.Of names.
	Integrity
	// Unread is none either: at Start a script, a part of a page or all of it, is not
	// understood, and no reference in it was found.
	Unread
)

// A Ref is a reference in a file.
type Ref struct {
	Kind       Kind
	Text       string // what it says, without the language's escapes
	Start, End int    // where that stands in the file, between its quotes
	// Exact: the file has Text byte for byte from Start to End.
	Exact bool
	// Inline: it is in a style or a script that stands in a page.
	Inline bool
	// Of is the text of the reference that an Integrity is about.
	Of string

	in    language
	quote byte // around it, in CSS and JavaScript; 0: none
	attr  attr
	after bool // it may come right after an entity without semicolon, which a letter would make another
}

type language int

const (
	plain language = iota
	inCSS
	inJS
	inJSON
)

// attr is the attribute around a reference.
type attr int

const (
	noAttr   attr = iota
	inQuotes      // with quotes
	bare          // without, and the reference is a part of it
	allBare       // without, and the reference is all of it
)

// Quote is a text as it has to be written from Start to End.
func (r Ref) Quote(text string) string {
	switch r.in {
	case inCSS:
		text = quoteCSS(text, r.quote)
	case inJS:
		text = jsEscaper.Replace(text)
	case inJSON:
		b, _ := json.Marshal(text) // a string always can be
		text = string(b[1 : len(b)-1])
	}
	switch r.attr {
	case inQuotes:
		text = attrEscaper.Replace(text)
	case bare:
		text = bareEscaper.Replace(text)
	case allBare:
		return `"` + attrEscaper.Replace(text) + `"`
	}
	if r.after && text != "" && (isAlphanumeric(text[0]) || text[0] == '=') {
		text = fmt.Sprintf("&#%d;%s", text[0], text[1:])
	}
	return text
}

var (
	attrEscaper = strings.NewReplacer("&", "&amp;", `"`, "&#34;", "'", "&#39;", "<", "&lt;", ">", "&gt;")
	bareEscaper = strings.NewReplacer("&", "&amp;", `"`, "&#34;", "'", "&#39;", "<", "&lt;", ">", "&gt;", " ", "&#32;", "\t", "&#9;",
		"\n", "&#10;", "\f", "&#12;", "\r", "&#13;", "=", "&#61;", "`", "&#96;")
	// A script may stand in a page, where </script> would end it.
	jsEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\x22`, "'", `\x27`, "`", `\x60`, "\n", `\x0a`, "\r", `\x0d`, "\u2028", `\u2028`,
		"\u2029", `\u2029`, "<", `\x3c`, "$", `\x24`)
)

// Escape writes a text so that it means itself in HTML and XML, also in an
// attribute with quotes.
func Escape(text string) string { return attrEscaper.Replace(text) }

// Replace returns a file in which another text stands for each reference: what
// the function returns. Where that is Ref.Text the file stays as it is, byte for
// byte. Integrity and Unread are left out.
func Replace(data []byte, all iter.Seq[Ref], text func(Ref) string) []byte {
	return replace(data, all, func(r Ref) string {
		if r.Kind == Integrity {
			return r.Text
		}
		return text(r)
	})
}

func replace(data []byte, all iter.Seq[Ref], text func(Ref) string) []byte {
	var out []byte
	done := 0
	for r := range all {
		if r.Kind == Unread || r.Start < done {
			continue
		}
		if new := text(r); new != r.Text {
			out = append(append(out, data[done:r.Start]...), r.Quote(new)...)
			done = r.End
		}
	}
	if done == 0 {
		return data
	}
	return append(out, data[done:]...)
}

// scanner hands on the references of one file.
type scanner struct {
	data  []byte
	yield func(Ref) bool
	found int
	done  bool // nobody wants more, or there are too many
}

// scan makes a sequence of what a function finds.
func scan(data []byte, find func(*scanner)) iter.Seq[Ref] {
	return func(yield func(Ref) bool) { find(&scanner{data: data, yield: yield}) }
}

func (s *scanner) emit(r Ref) {
	if s.done {
		return
	}
	s.found++
	s.done = !s.yield(r) || s.found >= MaxRefs
}

// place is where a piece of a language stands in the file.
type place struct {
	at     int
	shift  []int // of each byte of the piece, from at; nil: it stands there as it is
	attr   attr
	inline bool
}

func (p place) pos(i int) int {
	if p.shift != nil {
		i = p.shift[i]
	}
	return p.at + i
}

// ref is a reference that stands in a piece from start to end.
func (s *scanner) ref(p place, kind Kind, text string, start, end int) Ref {
	r := Ref{Kind: kind, Text: text, Start: p.pos(start), End: p.pos(end), Inline: p.inline, attr: p.attr}
	r.after = p.shift != nil && start > 0 && isAlphanumeric(s.data[r.Start-1])
	r.Exact = bytes.Equal(s.data[r.Start:r.End], []byte(text))
	return r
}
