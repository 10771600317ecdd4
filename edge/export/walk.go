package export

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// use is what a reference is for.
type use int

const (
	useLink     use = iota // leads a person or a browser to it
	useAbsolute            // is read away from its page, and so has its host: canonical, og:image, a sitemap
	useForm                // what a form is sent to
	useBase                // what the others are relative to
)

// visit is called with each reference, unescaped, and returns what is to stand
// in its place: the same where it is to stay, byte for byte.
type visit func(text string, u use) string

// walk visits the references of a body and returns the body with what the
// visits returned.
func walk(k kind, data []byte, v visit) []byte {
	switch k {
	case kindHTML:
		return walkHTML(data, v)
	case kindCSS:
		return walkCSS(data, v)
	case kindXML:
		return walkXML(data, v)
	case kindText:
		return walkRobots(data, v)
	}
	return data
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
				p.replace(at, at+len(trimmed), trimmed, useAbsolute, v)
			}
		case xml.StartElement:
			for _, a := range attributes(data[from:to]) {
				if text := string(data[from+a.from : from+a.to]); absolute(text) && !strings.HasPrefix(a.name, "xmlns") {
					p.replace(from+a.from, from+a.to, text, useAbsolute, v)
				}
			}
		}
	}
}

// replace visits what stands in data[from:to], which is escaped as HTML and XML are.
func (p *patch) replace(from, to int, raw string, u use, v visit) {
	text := unescape(raw)
	if to := v(text, u); to != text {
		raw = escape(to)
	}
	if raw != string(p.data[from:to]) {
		p.put(from, to, raw)
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
			if to := v(text, useAbsolute); to != text {
				p.put(from, from+len(text), to)
			}
		}
		at += len(line)
	}
	return p.end()
}
