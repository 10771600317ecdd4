package sqsserver

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
)

// encoder writes a reply's JSON. Every value in an object is written together
// with its name, every value of a list by itself, so that a reply reads like
// the shape it has in the API reference.
type encoder struct {
	b []byte
}

// comma goes before everything but the first of an object or list.
func (e *encoder) comma() {
	if n := len(e.b); n > 0 && e.b[n-1] != '{' && e.b[n-1] != '[' && e.b[n-1] != ':' {
		e.b = append(e.b, ',')
	}
}

func (e *encoder) begin() { e.comma(); e.b = append(e.b, '{') }
func (e *encoder) end()   { e.b = append(e.b, '}') }

// name begins a member of an object.
func (e *encoder) name(s string) {
	e.comma()
	e.text(s)
	e.b = append(e.b, ':')
}

func (e *encoder) beginList(name string) {
	e.name(name)
	e.b = append(e.b, '[')
}
func (e *encoder) endList() { e.b = append(e.b, ']') }

func (e *encoder) beginObject(name string) {
	e.name(name)
	e.b = append(e.b, '{')
}

// str writes a member; "" too.
func (e *encoder) str(name, value string) {
	e.name(name)
	e.text(value)
}

// some writes a member unless it is empty.
func (e *encoder) some(name, value string) {
	if value != "" {
		e.str(name, value)
	}
}

func (e *encoder) boolean(name string, value bool) {
	e.name(name)
	e.b = strconv.AppendBool(e.b, value)
}

func (e *encoder) integer(name string, value int64) {
	e.name(name)
	e.b = strconv.AppendInt(e.b, value, 10)
}

// item writes an element of a list.
func (e *encoder) item(value string) {
	e.comma()
	e.text(value)
}

// sum writes an MD5, which is absent when nil.
func (e *encoder) sum(name string, sum []byte) {
	if sum == nil {
		return
	}
	e.name(name)
	e.b = append(e.b, '"')
	e.b = hex.AppendEncode(e.b, sum)
	e.b = append(e.b, '"')
}

func (e *encoder) blob(name string, value []byte) {
	e.name(name)
	e.b = append(e.b, '"')
	e.b = base64.StdEncoding.AppendEncode(e.b, value)
	e.b = append(e.b, '"')
}

// text appends a JSON string. Runs that need no escape are copied whole.
func (e *encoder) text(s string) {
	const digits = "0123456789abcdef"
	e.b = append(e.b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		e.b = append(e.b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			e.b = append(e.b, '\\', c)
		case '\n':
			e.b = append(e.b, '\\', 'n')
		case '\r':
			e.b = append(e.b, '\\', 'r')
		case '\t':
			e.b = append(e.b, '\\', 't')
		default:
			e.b = append(e.b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	e.b = append(e.b, s[start:]...)
	e.b = append(e.b, '"')
}
