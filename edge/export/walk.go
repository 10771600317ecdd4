package export

import (
	"bytes"
	"encoding/xml"
	"html"
	"iter"
	"strings"

	"github.com/dayfly-dev/dayfly/edge/refs"
)

// visit is called with each reference, unescaped, and returns what is to stand
// in its place: the same where it is to stay, byte for byte.
type visit func(text string, of refs.Kind) string

// walk visits the references of a body and returns the body with what the
// visits returned.
func walk(k kind, data []byte, v visit) []byte {
	switch k {
	case kindHTML:
		return replace(data, refs.HTML(data), v)
	case kindCSS:
		return replace(data, refs.CSS(data), v)
	case kindJS:
		return replace(data, refs.JavaScript(data), v)
	case kindMap:
		return replace(data, refs.SourceMap(data), v)
	case kindXML:
		return walkXML(data, v)
	case kindText:
		return walkRobots(data, v)
	}
	return data
}

func replace(data []byte, all iter.Seq[refs.Ref], v visit) []byte {
	return refs.Replace(data, all, func(r refs.Ref) string {
		if r.Kind == refs.Module && !isAddress(r.Text) {
			return r.Text // a name, which an import map explains
		}
		return v(r.Text, r.Kind)
	})
}

// isAddress reports whether a module's specifier is one.
func isAddress(specifier string) bool {
	for _, begin := range []string{"./", "../", "/", "http://", "https://"} {
		if strings.HasPrefix(specifier, begin) {
			return true
		}
	}
	return false
}

// patch is a copy of data in which pieces are replaced, from front to back.
type patch struct {
	data []byte
	out  []byte
	done int // so much of data is in out
}

// put replaces data[from:to].
func (p *patch) put(from, to int, text string) {
	p.out = append(append(p.out, p.data[p.done:from]...), text...)
	p.done = to
}

func (p *patch) end() []byte {
	if p.done == 0 {
		return p.data
	}
	return append(p.out, p.data[p.done:]...)
}

// walkXML visits texts and attributes that are whole addresses.
func walkXML(data []byte, v visit) []byte {
	p := patch{data: data}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = false
	for {
		from := int(d.InputOffset())
		t, err := d.RawToken()
		to := int(d.InputOffset())
		if err != nil || to > len(data) || from < p.done {
			return p.end()
		}
		switch t.(type) {
		case xml.CharData:
			text := string(data[from:to])
			trimmed := strings.TrimSpace(text)
			at := from + strings.Index(text, trimmed)
			if absolute(trimmed) {
				p.replace(at, at+len(trimmed), v)
			}
		case xml.StartElement:
			_, all := refs.Attributes(data[from:to])
			for _, a := range all {
				if absolute(a.Value) && !a.Bare && !strings.HasPrefix(a.Name, "xmlns") {
					p.replace(from+a.Start, from+a.End, v)
				}
			}
		}
	}
}

// replace visits what stands in data[from:to], which is escaped as XML is.
func (p *patch) replace(from, to int, v visit) {
	text := html.UnescapeString(string(p.data[from:to]))
	if out := v(text, refs.Absolute); out != text {
		p.put(from, to, refs.Escape(out))
	}
}

// absolute reports whether a text is a URL of the web and nothing else.
func absolute(text string) bool {
	return (strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")) && !strings.ContainsAny(text, " \t\r\n<>\"")
}

// walkRobots visits the sitemaps that a robots.txt names.
func walkRobots(data []byte, v visit) []byte {
	p := patch{data: data}
	at := 0
	for line := range bytes.Lines(data) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && strings.EqualFold(strings.TrimSpace(string(name)), "sitemap") {
			text := strings.TrimSpace(string(value))
			from := at + len(name) + 1 + bytes.Index(value, []byte(text))
			if to := v(text, refs.Absolute); to != text {
				p.put(from, from+len(text), to)
			}
		}
		at += len(line)
	}
	return p.end()
}
