package refs

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// A token of JavaScript that is neither space nor comment.
type token struct {
	kind       js.TokenType
	text       []byte
	start, end int
}

// recent are the tokens before the one that is looked at, the latest first.
// Eleven make the longest pattern: URL ( "…" , import . meta . url ) and one
// before it.
type recent [12]token

func (t *recent) push(x token) {
	copy(t[1:], t[:])
	t[0] = x
}

// is compares the tokens before, the latest first, by their text.
func (t *recent) is(from int, texts ...string) bool {
	for i, text := range texts {
		if from+i >= len(t) || string(t[from+i].text) != text {
			return false
		}
	}
	return true
}

// JavaScript finds the references of a script or a module: import, export from,
// import() and import.meta.resolve() of a literal, new URL("…", import.meta.url),
// and the source map. One that cannot be read to its end has none, but an Unread:
// there a place could be a reference or part of something else.
//
// A parser would tell the same, but takes many times the memory, knows no syntax
// newer than itself, and one that calls itself for what is nested ends the
// process on a file that is nested deeply enough.
func JavaScript(data []byte) iter.Seq[Ref] {
	return scan(data, func(s *scanner) { s.js(s.data, place{}) })
}

func (s *scanner) js(data []byte, p place) {
	c := script{scanner: s, place: p}
	if offset, ok := c.scan(data); !ok {
		s.emit(Ref{Kind: Unread, Start: p.at + offset, End: p.at + offset})
		return
	}
	for _, r := range c.refs {
		s.emit(r)
	}
}

// A script is one that is being read.
type script struct {
	*scanner
	place
	refs   []Ref // until it is known that it can be read
	tokens recent
	nest   nesting
	clause bool // between import or export and from
}

func (s *script) scan(data []byte) (offset int, ok bool) {
	if bytes.HasPrefix(data, []byte("#!")) {
		if offset = bytes.IndexByte(data, '\n'); offset < 0 {
			return 0, true
		}
	}
	lexer := js.NewLexer(parse.NewInputBytes(data[offset:len(data):len(data)]))
	for {
		if len(s.refs) > MaxRefs {
			return offset, false
		}
		kind, text := lexer.Next()
		if (kind == js.DivToken || kind == js.DivEqToken) && s.nest.operand(&s.tokens) {
			kind, text = lexer.RegExp()
		}
		start := offset
		offset += len(text)
		if kind == js.ErrorToken && string(text) == "@" {
			kind = js.PunctuatorToken // of a decorator, which the lexer does not know
		}
		switch kind {
		case js.ErrorToken:
			return start, errors.Is(lexer.Err(), io.EOF) && start == len(data) && s.nest.depth() == 0
		case js.WhitespaceToken, js.LineTerminatorToken:
		case js.CommentToken, js.CommentLineTerminatorToken:
			if r, ok := s.mapComment(s.place, text, start); ok {
				s.refs = append(s.refs, r)
			}
		default:
			t := token{kind, text, start, offset}
			if !s.nest.next(&s.tokens, t) {
				return start, false
			}
			s.look(t)
			s.tokens.push(t)
		}
	}
}

// look finds the patterns that end with a token.
func (s *script) look(t token) {
	p := &s.tokens
	switch {
	case t.kind == js.ImportToken || t.kind == js.ExportToken:
		s.clause = !p.is(0, ".") && !p.is(0, "?.")
	case t.kind == js.StringToken && p[0].kind == js.ImportToken && s.clause,
		t.kind == js.StringToken && s.clause && p.is(0, "from"):
		s.clause = false
		s.specifier(t)
	case !clauseToken(t.kind):
		s.clause = false
	}
	if t.kind != js.CloseParenToken && t.kind != js.CommaToken || !literal(p[0].kind) && !p.is(0, "url") {
		return
	}
	switch {
	case p.is(1, "(", "import") && !member(p, 3):
		s.specifier(p[0])
	case p.is(1, "(") && (p.is(2, "source", ".", "import") || p.is(2, "defer", ".", "import")) && !member(p, 5):
		s.specifier(p[0])
	case p.is(1, "(", "resolve", ".", "meta", ".", "import") && !member(p, 7):
		s.specifier(p[0])
	case p.is(0, "url", ".", "meta", ".", "import", ",") && literal(p[6].kind) && p.is(7, "(", "URL"):
		s.literal(p[6], Load)
	}
}

// member reports whether the token before is one of a property: x.import().
func member(p *recent, i int) bool { return p.is(i, ".") || p.is(i, "?.") }

// clauseToken is true of what may stand between import or export and from.
func clauseToken(t js.TokenType) bool {
	switch t {
	case js.OpenBraceToken, js.CloseBraceToken, js.CommaToken, js.MulToken, js.StringToken:
		return true
	}
	return js.IsIdentifierName(t)
}

// literal is true of a string, also one in backquotes with nothing put in.
func literal(t js.TokenType) bool { return t == js.StringToken || t == js.TemplateToken }

// specifier is a module's.
func (s *script) specifier(t token) { s.literal(t, Module) }

func (s *script) literal(t token, kind Kind) {
	inner := t.text[1 : len(t.text)-1]
	if text, ok := unescapeJS(inner); ok {
		r := s.ref(s.place, kind, text, t.start+1, t.end-1)
		r.in, r.quote = inJS, t.text[0]
		s.refs = append(s.refs, r)
	}
}

// unescapeJS is what a string literal says; false for escapes that no address
// needs.
func unescapeJS(b []byte) (string, bool) {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b), true
	}
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			out.WriteByte(b[i])
			continue
		}
		i++
		digits := 0
		if i < len(b) && b[i] == 'x' {
			digits = 2
		} else if i < len(b) && b[i] == 'u' {
			digits = 4
		}
		switch {
		case i == len(b):
			return "", false
		case digits > 0:
			if i+digits >= len(b) {
				return "", false
			}
			v, err := strconv.ParseUint(string(b[i+1:i+1+digits]), 16, 32)
			if err != nil || !utf8.ValidRune(rune(v)) {
				return "", false // \u{…} and halves of pairs
			}
			out.WriteRune(rune(v))
			i += digits
		case bytes.IndexByte([]byte(`/'"`+"`"+`\.-_`), b[i]) >= 0:
			out.WriteByte(b[i])
		default:
			return "", false
		}
	}
	return out.String(), true
}
