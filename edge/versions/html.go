package versions

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// html finds the references of a page. Links that a person follows (a href,
// canonical, alternate) are none: those addresses stay.
func (r *reader) html(data []byte, _ int) {
	p := &page{reader: r, guarded: bytes.Contains(data, []byte("'sha256-")) || bytes.Contains(data, []byte("'sha384-")) || bytes.Contains(data, []byte("'sha512-"))}
	z := html.NewTokenizer(bytes.NewReader(data))
	offset := 0
	inside := "" // the element whose text comes next, where that is a language of its own
	for {
		kind := z.Next()
		raw := z.Raw()
		if kind == html.ErrorToken {
			return
		}
		if !bytes.HasPrefix(data[offset:], raw) {
			return // what the tokenizer changed has no place
		}
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			inside = p.tag(raw, offset)
		case html.TextToken:
			p.text(inside, raw, offset)
			inside = ""
		default:
			inside = ""
		}
		offset += len(raw)
	}
}

// A page is one that is being read.
type page struct {
	*reader
	guarded bool // by a policy in the page that names hashes of its scripts and styles
	based   bool // the first base was there
}

// text reads the text of a style or a script.
func (p *page) text(inside string, raw []byte, at int) {
	switch {
	case p.guarded: // what is changed would not run
	case inside == "style":
		p.css(raw, at)
	case inside == "script":
		p.js(raw, at)
	case inside == "importmap":
		p.importMap(raw, at)
	}
}

// An attribute is one of a tag: its value as it stands there.
type attribute struct {
	name       string
	value      string // with entities replaced
	start, end int    // of the value in the tag, without quotes
	escaped    bool
}

// tag notes the references in a tag's attributes and returns what its text is.
func (p *page) tag(raw []byte, at int) (inside string) {
	name, attributes := attributesOf(raw)
	get := func(key string) (attribute, bool) {
		i := slices.IndexFunc(attributes, func(a attribute) bool { return a.name == key })
		if i < 0 {
			return attribute{}, false
		}
		return attributes[i], true
	}
	if name == "base" {
		if href, ok := get("href"); ok && !p.based {
			p.base, p.based = p.base.moved(href.value), true
		}
		return ""
	}
	var target string
	for _, a := range attributes {
		switch {
		case isSet(name, a.name):
			p.candidates(a, at)
		case a.name == "style" && !a.escaped && !p.guarded:
			p.css([]byte(a.value), at+a.start)
		case refers(name, a.name) && (name != "link" || linked(get("rel"))):
			if found, ok := p.found(a.value, at+a.start, at+a.end, a.escaped); ok && (a.name == "src" || a.name == "href") {
				target = found
			}
			p.htmlSafe(a)
		}
	}
	if a, ok := get("integrity"); ok && target != "" && (name == "script" || name == "link") && !a.escaped {
		p.file.refs = append(p.file.refs, reference{start: at + a.start, end: at + a.end, target: target, text: a.value, integrity: true})
	}
	if _, ok := get("src"); name == "script" && !ok {
		kind, _ := get("type")
		switch t, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(kind.value)), ";"); t {
		case "", "module", "text/javascript", "application/javascript":
			return "script"
		case "importmap":
			return "importmap"
		}
		return ""
	}
	return name
}

// htmlSafe has what was noted last keep its & as an attribute writes it.
func (p *page) htmlSafe(a attribute) {
	if n := len(p.file.refs); a.escaped && n > 0 {
		p.file.refs[n-1].after = strings.ReplaceAll(p.file.refs[n-1].after, "&", "&amp;")
	}
}

// candidates are the addresses of a srcset: each up to white space, then what it
// is for, up to a comma (HTML, "parse a srcset attribute").
func (p *page) candidates(a attribute, at int) {
	if a.escaped {
		return
	}
	s := a.value
	for i := 0; i < len(s); {
		for i < len(s) && strings.IndexByte("\t\n\f\r ,", s[i]) >= 0 {
			i++
		}
		start := i
		for i < len(s) && strings.IndexByte("\t\n\f\r ", s[i]) < 0 {
			i++
		}
		address := strings.TrimRight(s[start:i], ",")
		if address == s[start:i] {
			depth := 0
			for ; i < len(s) && (s[i] != ',' || depth > 0); i++ {
				switch s[i] {
				case '(':
					depth++
				case ')':
					depth--
				}
			}
		}
		if address != "" {
			p.found(address, at+a.start+start, at+a.start+start+len(address), false)
		}
	}
}

func isSet(element, attribute string) bool {
	switch attribute {
	case "srcset":
		return element == "img" || element == "source"
	case "imagesrcset":
		return element == "link"
	}
	return false
}

// refers reports whether an attribute loads what it names as part of the page.
func refers(element, attribute string) bool {
	switch attribute {
	case "src":
		switch element {
		case "script", "img", "source", "video", "audio", "track", "embed", "iframe", "input":
			return true
		}
	case "href":
		return element == "link" || element == "image" || element == "use" || element == "feimage" || element == "script"
	case "xlink:href":
		return element == "image" || element == "use" || element == "feimage"
	case "poster":
		return element == "video"
	case "data":
		return element == "object"
	case "background":
		return element == "body"
	}
	return false
}

// linked reports whether a link is to something that is loaded, by its rel.
func linked(rel attribute, ok bool) bool {
	for word := range strings.FieldsSeq(strings.ToLower(rel.value)) {
		switch word {
		case "stylesheet", "icon", "apple-touch-icon", "apple-touch-icon-precomposed", "mask-icon", "manifest", "preload", "modulepreload", "prefetch":
			return ok
		}
	}
	return false
}

// attributesOf takes a start tag apart (HTML, sections 13.2.5.32 to 13.2.5.40).
// Of attributes with one name the first counts.
func attributesOf(raw []byte) (element string, list []attribute) {
	const space = "\t\n\f\r "
	is := func(i int, set string) bool { return i < len(raw) && strings.IndexByte(set, raw[i]) >= 0 }
	end := len(raw)
	if end > 0 && raw[end-1] == '>' {
		end--
	}
	i := 1
	for i < end && !is(i, space+"/") {
		i++
	}
	element = strings.ToLower(string(raw[1:i]))
	for {
		for i < end && is(i, space+"/") {
			i++
		}
		if i >= end {
			return element, list
		}
		start := i
		for i++; i < end && !is(i, space+"/="); i++ {
		}
		a := attribute{name: strings.ToLower(string(raw[start:i]))}
		next := i
		for next < end && is(next, space) {
			next++
		}
		if next < end && raw[next] == '=' {
			for next++; next < end && is(next, space); next++ {
			}
			i = a.read(raw, next, end)
		}
		if !slices.ContainsFunc(list, func(b attribute) bool { return b.name == a.name }) && len(list) < 100 {
			list = append(list, a)
		}
	}
}

// read takes the value that begins at an offset and returns where it ends.
func (a *attribute) read(raw []byte, i, end int) int {
	after := i
	if i < end && (raw[i] == '"' || raw[i] == '\'') {
		n := bytes.IndexByte(raw[i+1:end], raw[i])
		if n < 0 {
			n = end - i - 1
		}
		a.start, a.end = i+1, i+1+n
		after = min(a.end+1, end)
	} else {
		for after < end && strings.IndexByte("\t\n\f\r ", raw[after]) < 0 {
			after++
		}
		a.start, a.end = i, after
	}
	text := raw[a.start:a.end]
	a.value = html.UnescapeString(string(text))
	a.escaped = a.value != string(text)
	return after
}
