package http1

import (
	"bytes"
	"errors"
	"strconv"
)

// errMalformed ends a connection. net/http answers 400 to it.
var errMalformed = errors.New("http1: what no client writes, and others may read otherwise")

// MaxExtensions bounds the bytes of chunk extensions in one body: nobody has a
// use for them, and RFC 9112, section 7.1.1, has them bounded.
const MaxExtensions = 256

// A scan looks through the bytes of a connection on their way to net/http, which
// reads leniently what RFC 9112 lets a recipient read leniently: lines that end
// in a bare LF (section 2.2), folded ones (5.2), a length beside chunks (6.3).
// Whoever stands before us may read those otherwise, and requests are smuggled
// by that. The scan has the connection end there. It accepts nothing: what it
// lets pass net/http still judges, and where it takes a request's end for
// another than net/http does, a good request is refused or a bad one is read as
// before.
type scan struct {
	state  scanState
	line   []byte // of a head or trailer, as far as it is looked at
	cr     bool   // the byte before was CR
	fields bool   // the request line was read
	old    bool   // HTTP/1.0
	length int64  // of the body; -1: not told
	coded  bool   // has a Transfer-Encoding
	chunks bool   // which is "chunked"
	odd    bool   // net/http refuses the head, or what follows it may be no HTTP
	left   int64  // of the body or chunk
	digits int    // of a chunk's size
	ext    int    // bytes of extensions in this body
}

type scanState uint8

const (
	inHead scanState = iota
	inBody
	inSize      // of a chunk
	inExtension // of a chunk
	inChunk
	afterChunk
	inTrailer
	passing // not looked at any more: it is no HTTP/1, or ends with this request
)

// maxLooked is how much of a line is looked at: the fields of framing are short.
const maxLooked = 128

func newScan() scan { return scan{length: -1} }

// feed looks at what was read, and returns how much of it may pass. An error
// says that what follows may not.
func (s *scan) feed(p []byte) (n int, err error) {
	for n < len(p) {
		switch s.state {
		case passing:
			return len(p), nil
		case inBody, inChunk:
			m := int(min(s.left, int64(len(p)-n)))
			n += m
			if s.left -= int64(m); s.left == 0 {
				if s.state == inChunk {
					s.state = afterChunk
				} else {
					s.begin()
				}
			}
		default:
			if !s.step(p[n]) {
				return n, errMalformed
			}
			n++
		}
	}
	return n, nil
}

// spoils are bytes that net/http refuses in place of those that may not be in a
// body. By an error of reading it would take the client to have left, and
// whoever handles the request could not answer.
func (s *scan) spoils() string {
	switch s.state {
	case inSize, inExtension:
		return "z\n" // a chunk's line that ends in a bare LF
	case afterChunk:
		return "zz"
	case inTrailer:
		if len(s.line) == 0 {
			return "z\r\n\r\n" // a field without a colon
		}
		return "\r\nz\r\n\r\n"
	}
	return ""
}

// begin expects a request.
func (s *scan) begin() { *s = scan{length: -1, line: s.line[:0]} }

// step takes one byte; false if it may not be there.
func (s *scan) step(b byte) bool {
	if s.cr != (b == '\n') { // CR and LF stand together, or not at all, but between requests:
		// net/http reads a byte ahead while it answers the request before.
		return s.state == inHead && !s.fields && len(s.line) == 0 && b == '\n'
	}
	if s.cr = b == '\r'; s.cr {
		return s.state != inSize || s.digits > 0
	}
	switch s.state {
	case inHead, inTrailer:
		return s.inLine(b)
	case inSize:
		return s.size(b)
	case inExtension:
		if b == '\n' {
			s.sized()
			return true
		}
		s.ext++
		return s.ext <= MaxExtensions && (b == '\t' || b >= ' ' && b < 0x7f)
	case afterChunk:
		s.state, s.digits, s.left = inSize, 0, 0
		return b == '\n'
	}
	return true
}

// size takes a byte of a chunk's size.
func (s *scan) size(b byte) bool {
	switch {
	case b == '\n':
		s.sized()
		return true
	case s.digits > 0 && (b == ';' || b == ' ' || b == '\t'):
		s.state = inExtension
		s.ext++
		return s.ext <= MaxExtensions
	}
	d, err := strconv.ParseUint(string(rune(b)), 16, 8)
	if err != nil || s.digits == 15 {
		return false
	}
	s.left, s.digits = s.left<<4|int64(d), s.digits+1
	return true
}

func (s *scan) sized() {
	if s.state = inChunk; s.left == 0 {
		s.state = inTrailer
		s.line = s.line[:0]
	}
}

// inLine takes a byte of a head or trailer.
func (s *scan) inLine(b byte) bool {
	if b != '\n' {
		if len(s.line) == 0 && (b == ' ' || b == '\t') && (s.fields || s.state == inTrailer) {
			return false // folded
		}
		if len(s.line) < maxLooked {
			s.line = append(s.line, b)
		}
		return true
	}
	line := s.line
	s.line = s.line[:0]
	switch {
	case s.state == inTrailer:
		if len(line) == 0 {
			s.begin()
		}
	case !s.fields:
		s.request(line)
	case len(line) > 0:
		s.field(line)
	default:
		return s.end()
	}
	return true
}

// request takes a request line.
func (s *scan) request(line []byte) {
	if string(line) == "PRI * HTTP/2.0" {
		s.state = passing
	}
	s.fields = len(line) > 0 // empty lines may stand before
	s.old = bytes.HasSuffix(line, []byte(" HTTP/1.0"))
}

// field takes a line that may say where the body ends.
func (s *scan) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	whole := len(line) < maxLooked
	value = bytes.Trim(value, " \t")
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseUint(string(value), 10, 63)
		if s.odd = s.odd || err != nil || !whole || s.length >= 0 && s.length != int64(n); !s.odd {
			s.length = int64(n)
		}
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		s.chunks = !s.coded && whole && bytes.EqualFold(value, []byte("chunked"))
		s.coded = true
	case bytes.EqualFold(name, []byte("Upgrade")): // who handles it takes the connection over, or ends it
		s.odd = true
	}
}

// end comes after the head's last line; false if the request has two ends.
func (s *scan) end() bool {
	switch {
	case s.coded && (s.length >= 0 || s.old):
		return false
	case s.odd, s.coded && !s.chunks:
		s.state = passing
	case s.coded:
		s.state, s.left, s.digits, s.ext = inSize, 0, 0, 0
	case s.length > 0:
		s.state, s.left = inBody, s.length
	default:
		s.begin()
	}
	return true
}
