package http1

import (
	"bytes"
)

// WritePlainHead is WriteHeader for who has the fields of an answer as they are
// on the wire: each a canonical name, a colon, a space, a value without control
// characters, CR LF; none of Connection, Content-Length, Transfer-Encoding and
// Trailer. They count before those of Header that have the same names. length is
// that of the body, and dated says that there is a Date. The answer must have a
// body, so status is none of 1xx, 204 and 304.
func (w *response) WritePlainHead(status int, length int64, dated bool, fields []byte) {
	if w.status != 0 {
		return
	}
	w.status, w.length = status, length
	b := appendStatus(w.out, status)
	if len(w.header) > 0 {
		for name := range w.header {
			if hasField(fields, name) {
				delete(w.header, name)
			}
		}
		b = w.appendFields(b, status)
		w.length = length
	}
	w.dated = w.dated || dated
	w.out = append(b, fields...)
	w.sniff = false
	if w.c.s.stopping.Load() {
		w.last = true
	}
}

// hasField reports whether there is a field of that name.
func hasField(fields []byte, name string) bool {
	for len(fields) > 0 {
		if len(fields) > len(name) && fields[len(name)] == ':' && string(fields[:len(name)]) == name {
			return true
		}
		i := bytes.IndexByte(fields, '\n')
		fields = fields[i+1:]
		if i < 0 {
			return false
		}
	}
	return false
}
