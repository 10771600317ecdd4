package refs

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
)

// CSS finds the references of a style sheet: url(), @import, the images of an
// image-set(), src(), and the source map.
func CSS(data []byte) iter.Seq[Ref] {
	return scan(data, func(s *scanner) { s.css(s.data, place{}) })
}

// sheet is a style sheet, or a piece of one, that is being read.
type sheet struct {
	*scanner
	place
	data []byte
	open []string // functions and brackets around the token
	rule string   // the at-rule the token is in, until its first block or end
}

func (s *scanner) css(data []byte, p place) {
	c := sheet{scanner: s, place: p, data: data}
	lexer := css.NewLexer(parse.NewInputBytes(data[:len(data):len(data)])) // full: it would write behind it
	for end := 0; !s.done; {
		kind, text := lexer.Next()
		start := end
		end += len(text)
		if kind == css.ErrorToken || end > len(data) {
			return
		}
		c.token(kind, start, end)
	}
}

// token looks at one from start to end.
func (c *sheet) token(kind css.TokenType, start, end int) {
	text := c.data[start:end]
	switch kind {
	case css.AtKeywordToken:
		c.rule = strings.ToLower(string(text))
	case css.SemicolonToken, css.LeftBraceToken, css.RightBraceToken:
		c.rule, c.open = "", c.open[:0]
	case css.FunctionToken:
		c.open = append(c.open, strings.ToLower(string(text)))
	case css.LeftParenthesisToken, css.LeftBracketToken:
		c.open = append(c.open, "")
	case css.RightParenthesisToken, css.RightBracketToken:
		c.open = c.open[:max(0, len(c.open)-1)]
	case css.URLToken:
		if c.rule != "@namespace" {
			c.url(text, start)
		}
		if c.rule == "@import" {
			c.rule = "" // what follows are conditions
		}
	case css.StringToken:
		inside := ""
		if len(c.open) > 0 {
			inside = c.open[len(c.open)-1]
		}
		importing := c.rule == "@import" && len(c.open) == 0
		if importing || inside == "image-set(" || inside == "-webkit-image-set(" || inside == "src(" {
			c.str(text, start)
		}
		if importing {
			c.rule = ""
		}
	case css.CommentToken:
		if r, ok := c.mapComment(c.place, text, start); ok {
			c.emit(r)
		}
	}
}

// url takes a url( ) token apart.
func (c *sheet) url(text []byte, at int) {
	open := bytes.IndexByte(text, '(')
	if open < 0 || text[len(text)-1] != ')' {
		return // not closed before the end of the file
	}
	inner := text[open+1 : len(text)-1]
	trimmed := bytes.TrimLeft(inner, space)
	at += open + 1 + len(inner) - len(trimmed)
	trimmed = bytes.TrimRight(trimmed, space)
	if len(trimmed) > 0 && (trimmed[0] == '"' || trimmed[0] == '\'') {
		c.str(trimmed, at)
		return
	}
	c.found(trimmed, at, 0)
}

// str is a string with its quotes.
func (c *sheet) str(text []byte, at int) {
	if len(text) >= 2 && text[len(text)-1] == text[0] {
		c.found(text[1:len(text)-1], at+1, text[0])
	}
}

func (c *sheet) found(inner []byte, at int, quote byte) {
	r := c.ref(c.place, Load, unescapeCSS(inner), at, at+len(inner))
	r.in, r.quote = inCSS, quote
	c.emit(r)
}

// unescapeCSS is what a string or url of CSS says (CSS Syntax Level 3, section
// 4.3.7).
func unescapeCSS(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out.WriteByte(b[i])
			continue
		}
		i++
		n := 0
		for n < 6 && i+n < len(b) && isHex(b[i+n]) {
			n++
		}
		switch {
		case n > 0:
			v, _ := strconv.ParseUint(string(b[i:i+n]), 16, 32)
			c := rune(v)
			if c == 0 || !utf8.ValidRune(c) {
				c = utf8.RuneError
			}
			out.WriteRune(c)
			i += n - 1
			if i+1 < len(b) && isSpace(b[i+1]) {
				i++
			}
		case b[i] == '\n' || b[i] == '\f' || b[i] == '\r': // the line goes on
		default:
			out.WriteByte(b[i])
		}
	}
	return out.String()
}

// The quotes are escaped by number, and so is what would end a style element.
var cssEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\22 `, "'", `\27 `, "\n", `\a `, "\r", `\d `, "\f", `\c `, "<", `\3c `)

// quoteCSS writes a text between quotes, or as the inside of url( ) without.
func quoteCSS(text string, quote byte) string {
	escaped := cssEscaper.Replace(text)
	if quote == 0 && (escaped != text || text == "" || strings.ContainsAny(text, "\t ()")) {
		return `"` + escaped + `"`
	}
	return escaped
}

// mapComment is the source map that a comment names: //# sourceMappingURL=…
// or the same in /* */ (ECMA-426, section 11.1.2.1).
func (s *scanner) mapComment(p place, comment []byte, at int) (Ref, bool) {
	const key = " sourceMappingURL="
	if len(comment) < 3 || comment[2] != '#' && comment[2] != '@' || !bytes.HasPrefix(comment[3:], []byte(key)) {
		return Ref{}, false
	}
	start := 3 + len(key)
	n := bytes.IndexAny(comment[start:], "*'\""+space)
	if n < 0 {
		n = len(comment) - start
	}
	return s.ref(p, Debug, string(comment[start:start+n]), at+start, at+start+n), true
}
