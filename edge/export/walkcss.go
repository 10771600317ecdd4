package export

import (
	"strings"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
)

// walkCSS visits url(…), what is imported, and the images of an image-set.
func walkCSS(data []byte, v visit) []byte {
	p := patch{data: data}
	l := css.NewLexer(parse.NewInputBytes(data[:len(data):len(data)])) // full: it would write behind it
	at, importing, set := 0, false, 0                                  // set: how deep within an image-set
	for {
		t, raw := l.Next()
		from := at
		at += len(raw)
		if at > len(data) {
			return p.end()
		}
		switch t {
		case css.ErrorToken:
			return p.end()
		case css.WhitespaceToken, css.CommentToken:
			continue
		case css.URLToken:
			p.url(from, string(data[from:at]), v)
		case css.StringToken:
			if importing || set == 1 {
				p.str(from, at, v)
			}
		case css.FunctionToken:
			name := strings.ToLower(string(raw))
			if set > 0 || name == "image-set(" || name == "-webkit-image-set(" {
				set++
			}
		case css.LeftParenthesisToken:
			if set > 0 {
				set++
			}
		case css.RightParenthesisToken:
			set = max(0, set-1)
		}
		importing = t == css.AtKeywordToken && strings.EqualFold(string(raw), "@import")
	}
}

// url visits url(…), which begins at from.
func (p *patch) url(from int, raw string, v visit) {
	open := strings.IndexByte(raw, '(') + 1
	inner := strings.TrimRight(strings.TrimSuffix(raw[open:], ")"), " \t\r\n\f")
	lead := len(inner) - len(strings.TrimLeft(inner, " \t\r\n\f"))
	begin := from + open + lead
	inner = inner[lead:]
	if len(inner) >= 2 && (inner[0] == '"' || inner[0] == '\'') {
		p.str(begin, begin+len(inner), v)
		return
	}
	text := cssUnescape(inner)
	if to := v(text, useLink); to != text {
		p.put(begin, begin+len(inner), cssString(to))
	}
}

// str visits a string with its quotes, data[from:to].
func (p *patch) str(from, to int, v visit) {
	if to-from < 2 || p.data[to-1] != p.data[from] {
		return
	}
	text := cssUnescape(string(p.data[from+1 : to-1]))
	if out := v(text, useLink); out != text {
		p.put(from, to, cssString(out))
	}
}

// cssString writes a string; a URL of ours holds no line ends.
func cssString(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\a `).Replace(text) + `"`
}

// cssUnescape reads escapes (CSS Syntax, section 4.3.7).
func cssUnescape(raw string) string {
	if !strings.Contains(raw, `\`) {
		return raw
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' || i+1 == len(raw) {
			b.WriteByte(raw[i])
			continue
		}
		i++
		n, r := 0, rune(0)
		for n < 6 && i+n < len(raw) && hexDigit(raw[i+n]) >= 0 {
			r = r<<4 | rune(hexDigit(raw[i+n]))
			n++
		}
		switch {
		case n > 0:
			b.WriteRune(r)
			i += n - 1
			if i+1 < len(raw) && blank(raw[i+1]) {
				i++
			}
		case raw[i] != '\n':
			b.WriteByte(raw[i])
		}
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
