package versions

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
)

// css finds the references of a style sheet, or of a style attribute, that
// stands at an offset of the file.
func (r *reader) css(data []byte, at int) {
	lexer := css.NewLexer(parse.NewInputBytes(bytes.Clone(data)))
	var open []string // functions and brackets around the token
	rule := ""        // the at-rule the token is in, until its first block or end
	offset := at
	for {
		kind, token := lexer.Next()
		if kind == css.ErrorToken {
			return
		}
		start := offset
		offset += len(token)
		switch kind {
		case css.AtKeywordToken:
			rule = strings.ToLower(string(token))
		case css.SemicolonToken, css.LeftBraceToken, css.RightBraceToken:
			rule, open = "", open[:0]
		case css.FunctionToken:
			open = append(open, strings.ToLower(string(token)))
		case css.LeftParenthesisToken, css.LeftBracketToken:
			open = append(open, "")
		case css.RightParenthesisToken, css.RightBracketToken:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
		case css.URLToken:
			if rule != "@namespace" {
				r.cssURL(token, start)
			}
			if rule == "@import" {
				rule = "" // what follows are conditions
			}
		case css.StringToken:
			inside := ""
			if len(open) > 0 {
				inside = open[len(open)-1]
			}
			switch {
			case rule == "@import" && len(open) == 0, inside == "image-set(", inside == "-webkit-image-set(", inside == "src(":
				r.cssString(token, start)
			}
			if rule == "@import" && len(open) == 0 {
				rule = ""
			}
		case css.CommentToken:
			r.mapComment(token, start)
		}
	}
}

// cssURL takes a url( ) token apart.
func (r *reader) cssURL(token []byte, at int) {
	open := bytes.IndexByte(token, '(')
	if open < 0 || token[len(token)-1] != ')' {
		return // not closed before the end of the file
	}
	inner := token[open+1 : len(token)-1]
	trimmed := bytes.TrimLeft(inner, "\t\n\f\r ")
	at += open + 1 + len(inner) - len(trimmed)
	trimmed = bytes.TrimRight(trimmed, "\t\n\f\r ")
	if len(trimmed) > 0 && (trimmed[0] == '"' || trimmed[0] == '\'') {
		r.cssString(trimmed, at)
		return
	}
	text := unescapeCSS(trimmed)
	r.found(text, at, at+len(trimmed), text != string(trimmed))
}

func (r *reader) cssString(token []byte, at int) {
	if len(token) < 2 || token[len(token)-1] != token[0] {
		return
	}
	inner := token[1 : len(token)-1]
	text := unescapeCSS(inner)
	r.found(text, at+1, at+1+len(inner), text != string(inner))
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
			if i+1 < len(b) && bytes.IndexByte([]byte("\t\n\f\r "), b[i+1]) >= 0 {
				i++
			}
		case b[i] == '\n' || b[i] == '\f' || b[i] == '\r': // the line goes on
		default:
			out.WriteByte(b[i])
		}
	}
	return out.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// mapComment notes the source map that a comment names: //# sourceMappingURL=…
// or the same in /* */ (ECMA-426, section 11.1.2.1).
func (r *reader) mapComment(comment []byte, at int) {
	const key = " sourceMappingURL="
	if len(comment) < 3 || comment[2] != '#' && comment[2] != '@' || !bytes.HasPrefix(comment[3:], []byte(key)) {
		return
	}
	start := 3 + len(key)
	n := bytes.IndexAny(comment[start:], "*'\"\t\n\f\r ")
	if n < 0 {
		n = len(comment) - start
	}
	r.quietly(string(comment[start:start+n]), at+start, at+start+n, false)
}
