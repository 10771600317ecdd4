package edge

import (
	"bytes"
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// An answerHead is the head of a plain answer: one of HTTP/1.1 with a body of a
// known length, written in the one usual way. It is used for one answer after
// another.
type answerHead struct {
	status int
	length int64  // of the body
	close  bool   // the target closes the connection behind it
	dated  bool   // it has a Date
	keep   string // Keep-Alive's value
	route  string // RouteHeader's value, which is not passed on
	coding string // Content-Encoding's value
	fields []byte // those that are passed on, each with its CR LF, names in the canonical form
}

const (
	statusLine    = "HTTP/1.1 200" // as long as all
	maxLengthText = 15             // digits
)

// parse reads the head that b begins with and returns its length, its blank line
// included; 0 if it is not plain or not all of it is there. Nothing is judged
// here: what is not plain is read by net/http, which makes the same of what is.
// Plain are
//
//   - HTTP/1.1 and a status from 200 to 599 that has a body;
//   - lines that end in CR LF, fields of a token, a colon and visible text;
//   - one Content-Length of digits, no Transfer-Encoding;
//   - of the fields that belong to the connection: Keep-Alive, and a Connection
//     that says keep-alive or close and nothing else.
func (h *answerHead) parse(b []byte) int {
	end := bytes.Index(b, blankLine)
	if end < len(statusLine) {
		return 0
	}
	*h = answerHead{fields: h.fields[:0], length: -1}
	line, rest, _ := bytes.Cut(b[:end+2], lineEnd)
	if !h.parseStatus(line) {
		return 0
	}
	for connection := false; len(rest) > 0; {
		line, rest, _ = bytes.Cut(rest, lineEnd)
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			return 0
		}
		value := bytes.Trim(line[colon+1:], " \t")
		if !visible(value) {
			return 0
		}
		from := len(h.fields)
		if !h.appendName(line[:colon]) {
			return 0
		}
		switch name := h.fields[from:]; answerFields[string(name)] {
		case fieldLength:
			if h.length >= 0 || !h.parseLength(value) {
				return 0
			}
			h.fields = h.fields[:from]
		case fieldConnection:
			h.close = string(value) == "close"
			if connection || !h.close && string(value) != "keep-alive" {
				return 0
			}
			connection = true
			h.fields = h.fields[:from]
		case fieldKeepAlive:
			if h.keep != "" {
				return 0
			}
			h.keep = string(value)
			h.fields = h.fields[:from]
		case fieldReplaced:
			h.fields = h.fields[:from]
		case fieldRoute:
			if h.route != "" || len(value) == 0 {
				return 0
			}
			h.route = string(value)
			h.fields = h.fields[:from]
		case fieldEncoding:
			if h.coding != "" || len(value) == 0 {
				return 0
			}
			h.coding = string(value)
			h.appendValue(value)
		case fieldNotPlain:
			return 0
		case fieldEventStream:
			if isEventStream([]string{string(value)}) {
				return 0
			}
			h.appendValue(value)
		case fieldDate:
			h.dated = true
			h.appendValue(value)
		default:
			h.appendValue(value)
		}
	}
	if h.length < 0 {
		return 0
	}
	return end + len(blankLine)
}

var (
	lineEnd   = []byte("\r\n")
	blankLine = []byte("\r\n\r\n")
)

// What becomes of a field of an answer, by its name. All others are passed on.
const (
	_ = iota
	fieldLength
	fieldConnection
	fieldKeepAlive
	fieldReplaced    // by our own
	fieldEventStream // Content-Type, which may be that of a stream
	fieldDate
	fieldRoute    // of the application to the edge
	fieldEncoding // is logged
	fieldNotPlain
)

var answerFields = map[string]int{
	"Content-Length": fieldLength, "Connection": fieldConnection, "Keep-Alive": fieldKeepAlive, "X-Request-Id": fieldReplaced,
	"Content-Type": fieldEventStream, "Date": fieldDate, RouteHeader: fieldRoute, "Content-Encoding": fieldEncoding,
	"Transfer-Encoding": fieldNotPlain, "Trailer": fieldNotPlain, "Te": fieldNotPlain, "Upgrade": fieldNotPlain,
	"Proxy-Connection": fieldNotPlain, "Proxy-Authenticate": fieldNotPlain, "Http2-Settings": fieldNotPlain,
	"Pragma":            fieldNotPlain, // net/http makes Cache-Control of it
	"X-Accel-Buffering": fieldNotPlain, // says how the body is passed on
}

// parseStatus reads "HTTP/1.1 200 OK". The text is of no use to anybody.
func (h *answerHead) parseStatus(line []byte) bool {
	if len(line) < len(statusLine) || string(line[:9]) != statusLine[:9] || !visible(line) || len(line) > len(statusLine) && line[len(statusLine)] != ' ' {
		return false
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return false
		}
		h.status = 10*h.status + int(c-'0')
	}
	return h.status >= 200 && h.status < 600 && h.status != http.StatusNoContent && h.status != http.StatusNotModified && h.status != http.StatusResetContent
}

func (h *answerHead) parseLength(value []byte) bool {
	if len(value) == 0 || len(value) > maxLengthText {
		return false
	}
	h.length = 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
		h.length = 10*h.length + int64(c-'0')
	}
	return true
}

// appendName appends a field's name in its canonical form, if it is a token.
func (h *answerHead) appendName(name []byte) bool {
	upper := true
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z':
			if upper {
				c -= 'a' - 'A'
			}
		case c >= 'A' && c <= 'Z':
			if !upper {
				c += 'a' - 'A'
			}
		case c != '-' && !httpguts.IsTokenRune(rune(c)):
			return false
		}
		upper = c == '-'
		h.fields = append(h.fields, c)
	}
	return true
}

func (h *answerHead) appendValue(value []byte) {
	h.fields = append(append(append(h.fields, ": "...), value...), "\r\n"...)
}

// visible reports whether a field's value has no control characters.
func visible(value []byte) bool {
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
