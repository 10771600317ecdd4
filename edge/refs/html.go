package refs

import (
	"bytes"
	"iter"
	"strings"

	"golang.org/x/net/html"
)

// HTML finds the references of a page, in the order in which they stand.
func HTML(data []byte) iter.Seq[Ref] {
	return scan(data, func(s *scanner) { s.html(s.data, 0, false) })
}

// html reads a page, or the text of a noscript, which stands at an offset. There
// is no noscript in another.
func (s *scanner) html(data []byte, at int, noscript bool) {
	z := html.NewTokenizer(bytes.NewReader(data))
	offset, foreign := 0, 0
	inside := "" // the element whose text comes next, where that is a language of its own
	for !s.done {
		kind := z.Next()
		raw := z.Raw()
		if kind == html.ErrorToken || len(raw) > MaxTag && kind != html.TextToken && kind != html.CommentToken || !bytes.HasPrefix(data[offset:], raw) {
			return
		}
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			inside = s.tag(raw, at+offset)
			if kind == html.StartTagToken && (inside == "svg" || inside == "math") {
				foreign++
			}
		case html.TextToken:
			if inside == "noscript" && !noscript {
				s.html(raw, at+offset, true)
			}
			s.text(inside, raw, at+offset)
			inside = ""
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == "svg" || string(name) == "math" {
				foreign = max(0, foreign-1)
			}
			inside = ""
		default:
			inside = ""
		}
		z.AllowCDATA(foreign > 0)
		offset += len(raw)
	}
}

// text reads the text of a style or a script.
func (s *scanner) text(inside string, raw []byte, at int) {
	p := place{at: at, inline: true}
	switch inside {
	case "style":
		s.css(raw, p)
	case "script":
		s.js(raw, p)
	case "importmap":
		s.importMap(raw, p)
	}
}

// tag reads a tag's attributes and returns what its text is.
func (s *scanner) tag(raw []byte, at int) (inside string) {
	element, all := Attributes(raw)
	e := tag{element, all}
	for _, a := range all {
		if !a.Given {
			continue
		}
		p := place{at: at + a.Start, shift: a.shift, attr: inQuotes}
		if a.Bare {
			p.attr = bare
		}
		switch how, kind := e.refers(a.Name); how {
		case whole:
			s.whole(kind, a.Value, p)
		case asSet:
			s.candidates(a.Value, p)
		case asStyle:
			p.inline = true
			s.css([]byte(a.Value), p)
		case asRefresh:
			s.refresh(a.Value, p)
		case asIntegrity:
			of := e.get("src")
			if element == "link" {
				of = e.get("href")
			}
			r := s.ref(p, Integrity, a.Value, 0, len(a.Value))
			r.Of = of
			s.emit(r)
		}
	}
	if element == "script" && !e.has("src") && !e.has("href") && !e.has("xlink:href") {
		return scriptOf(e.get("type"))
	}
	if element == "script" {
		return ""
	}
	return element
}

// scriptOf says which language a script's text is, by its type.
func scriptOf(kind string) string {
	switch t, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(kind)), ";"); t {
	case "", "module", "text/javascript", "application/javascript":
		return "script"
	case "importmap":
		return "importmap"
	}
	return ""
}

// whole is a reference that a value is, but for white space around it.
func (s *scanner) whole(kind Kind, value string, p place) {
	text := strings.Trim(value, space)
	if text == value && p.attr == bare {
		p.attr = allBare
	}
	start := strings.Index(value, text)
	s.emit(s.ref(p, kind, text, start, start+len(text)))
}

// candidates are the addresses of a srcset: each up to white space, then what it
// is for, up to a comma (HTML, section 4.8.4.2.1).
func (s *scanner) candidates(set string, p place) {
	for i := 0; i < len(set); {
		for i < len(set) && (isSpace(set[i]) || set[i] == ',') {
			i++
		}
		start := i
		for i < len(set) && !isSpace(set[i]) {
			i++
		}
		text := strings.TrimRight(set[start:i], ",")
		if text == set[start:i] {
			depth := 0
			for ; i < len(set) && (set[i] != ',' || depth > 0); i++ {
				switch set[i] {
				case '(':
					depth++
				case ')':
					depth--
				}
			}
		}
		if text != "" {
			s.emit(s.ref(p, Load, text, start, start+len(text)))
		}
	}
}

// refresh finds the address in "5; url=…" (HTML, section 4.2.5.3).
func (s *scanner) refresh(value string, p place) {
	i := strings.IndexAny(value, ";,")
	if i < 0 {
		return
	}
	rest := strings.TrimLeft(value[i+1:], space)
	if len(rest) < 4 || !strings.EqualFold(rest[:3], "url") {
		return
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(rest[3:], space), "=")
	if !ok {
		return
	}
	rest = strings.TrimLeft(rest, space)
	start := len(value) - len(rest)
	end := len(strings.TrimRight(value, space))
	if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
		start++
		if n := strings.IndexByte(rest[1:], rest[0]); n >= 0 {
			end = start + n
		}
	}
	if start < end {
		s.emit(s.ref(p, Link, value[start:end], start, end))
	}
}
