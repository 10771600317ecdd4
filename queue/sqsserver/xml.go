package sqsserver

import "unicode/utf8"

const (
	xmlDeclaration = `<?xml version="1.0"?>`
	xmlNamespace   = "http://queue.amazonaws.com/doc/2012-11-05/"
)

// document is a reply in XML being written.
type document struct {
	b []byte
}

// beginDocument begins with the outermost element.
func beginDocument(tag string) *document {
	x := &document{b: make([]byte, 0, 1024)}
	x.b = append(x.b, xmlDeclaration...)
	x.b = append(x.b, '<')
	x.b = append(x.b, tag...)
	x.b = append(x.b, ` xmlns="`+xmlNamespace+`">`...)
	return x
}

func (x *document) open(tag string) {
	x.b = append(x.b, '<')
	x.b = append(x.b, tag...)
	x.b = append(x.b, '>')
}

func (x *document) close(tag string) {
	x.b = append(x.b, '<', '/')
	x.b = append(x.b, tag...)
	x.b = append(x.b, '>')
}

func (x *document) element(tag, text string) {
	x.open(tag)
	x.text(text)
	x.close(tag)
}

// value writes the next value of a reply in JSON. What the shape does not know
// is left out.
func (x *document) value(d *decoder, tag string, s *shape) {
	switch s.is {
	case isStructure:
		x.open(tag)
		empty := len(x.b)
		d.object(func(name []byte) {
			i := s.find(string(name))
			if i < 0 {
				d.skip()
				return
			}
			x.value(d, s.members[i].tag, s.members[i].shape)
		})
		if len(x.b) == empty {
			x.b = append(x.b[:empty-1], "/>"...)
			return
		}
		x.close(tag)
	case isList:
		d.list(func() { x.value(d, tag, s.of) })
	case isMap:
		d.object(func(name []byte) {
			x.open(tag)
			x.element(s.key, string(name))
			x.value(d, s.value, s.of)
			x.close(tag)
		})
	case isText:
		x.element(tag, d.str())
	default: // numbers and booleans read the same in XML
		d.space()
		start := d.i
		d.skip()
		x.element(tag, string(d.b[start:d.i]))
	}
}

// text appends character data. A carriage return is written as a reference, as
// a parser makes a line feed of it else; what XML 1.0 has no characters for
// becomes U+FFFD.
func (x *document) text(s string) {
	start := 0
	for i := 0; i < len(s); {
		size, escaped := 1, ""
		switch c := s[i]; {
		case c == '&':
			escaped = "&amp;"
		case c == '<':
			escaped = "&lt;"
		case c == '>':
			escaped = "&gt;"
		case c == '"':
			escaped = "&quot;"
		case c == '\r':
			escaped = "&#xD;"
		case c < ' ' && c != '\t' && c != '\n':
			escaped = "\uFFFD"
		case c >= utf8.RuneSelf:
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError || r == '\uFFFE' || r == '\uFFFF' {
				escaped = "\uFFFD"
			}
		}
		if escaped != "" {
			x.b = append(x.b, s[start:i]...)
			x.b = append(x.b, escaped...)
			start = i + size
		}
		i += size
	}
	x.b = append(x.b, s[start:]...)
}
