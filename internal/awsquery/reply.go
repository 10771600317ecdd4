package awsquery

import (
	"net/http"
	"strconv"
	"unicode/utf8"
)

// Writer makes the XML of a reply, element by element. The zero Writer is
// ready; Reset makes it so again and keeps its memory.
type Writer struct {
	b     []byte
	open  []string
	begun int // where the content of the element opened last begins
}

// Reset forgets what was written.
func (w *Writer) Reset() { w.b, w.open = w.b[:0], w.open[:0] }

// Begin opens an element; names come from the program, never from a request.
func (w *Writer) Begin(name string) {
	w.b = append(append(append(w.b, '<'), name...), '>')
	w.open, w.begun = append(w.open, name), len(w.b)
}

// End closes the element opened last. An empty one becomes <name/>, as services
// write it.
func (w *Writer) End() {
	last := len(w.open) - 1
	if len(w.b) == w.begun {
		w.b = append(w.b[:w.begun-1], "/>"...)
	} else {
		w.b = append(append(append(w.b, "</"...), w.open[last]...), '>')
	}
	w.open = w.open[:last]
}

// Text writes an element with a value. Characters that XML cannot hold become
// U+FFFD.
func (w *Writer) Text(name, value string) {
	w.Begin(name)
	w.b = appendEscaped(w.b, value)
	w.End()
}

// Reply writes the whole answer of an action. With a nil result it has no
// result element, as have actions without output.
func (w *Writer) Reply(namespace, action, requestID string, result func(*Writer)) {
	w.root(action+"Response", namespace)
	if result != nil {
		w.Begin(action + "Result")
		result(w)
		w.End()
	}
	w.Begin("ResponseMetadata")
	w.Text("RequestId", requestID)
	w.End()
	w.End()
}

// Fault is an error as the protocol says it.
type Fault struct {
	Status  int // HTTP; from 500 on it is the service's fault, else the sender's
	Code    string
	Message string
	Detail  bool // an empty Detail element follows, as SQS has it
}

// Blame says whose fault it is in the protocol's word.
func (f *Fault) Blame() string {
	if f.Status >= http.StatusInternalServerError {
		return "Receiver"
	}
	return "Sender"
}

// Fault writes an error's whole answer.
func (w *Writer) Fault(namespace string, f *Fault, requestID string) {
	w.root("ErrorResponse", namespace)
	w.Begin("Error")
	w.Text("Type", f.Blame())
	w.Text("Code", f.Code)
	w.Text("Message", f.Message)
	if f.Detail {
		w.Text("Detail", "")
	}
	w.End()
	w.Text("RequestId", requestID)
	w.End()
}

func (w *Writer) root(name, namespace string) {
	w.b = append(append(append(w.b, `<?xml version="1.0"?>`+"\n<"...), name...), ` xmlns="`...)
	w.b = append(appendEscaped(w.b, namespace), `">`...)
	w.open, w.begun = append(w.open, name), len(w.b)
}

// Bytes is what was written, until Reset.
func (w *Writer) Bytes() []byte { return w.b }

// Send answers a request with what was written.
func (w *Writer) Send(rw http.ResponseWriter, status int, requestID string) {
	h := rw.Header()
	h["X-Amzn-Requestid"] = []string{requestID}
	h["Content-Type"] = xmlContentType
	h["Content-Length"] = []string{strconv.Itoa(len(w.b))}
	rw.WriteHeader(status)
	rw.Write(w.b) // an error is the client's: it is gone
}

var xmlContentType = []string{"text/xml"} // shared by all replies, never written to

// appendEscaped writes text so that a parser reads it back as it was: a carriage
// return in plain would come back as a line feed (XML 1.0, 2.11).
func appendEscaped(b []byte, s string) []byte {
	done := 0
	for i := 0; i < len(s); {
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s[i:])
		}
		if escaped := escape(c, size); escaped != "" {
			b = append(append(b, s[done:i]...), escaped...)
			done = i + size
		}
		i += size
	}
	return append(b, s[done:]...)
}

func escape(c rune, size int) string {
	switch {
	case c == '&':
		return "&amp;"
	case c == '<':
		return "&lt;"
	case c == '>':
		return "&gt;"
	case c == '"':
		return "&quot;"
	case c == '\r':
		return "&#xD;"
	case c < ' ' && c != '\t' && c != '\n', c == 0xFFFE, c == 0xFFFF, c == utf8.RuneError && size == 1:
		return "\uFFFD"
	}
	return ""
}
