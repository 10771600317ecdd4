package http1

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// So much of an answer is collected before it is sent, bytes; one that
	// ends within it is sent in one write, with its length.
	collected = 64 << 10
	// Larger buffers are not kept for the next answer, bytes.
	keptBuffer = 32 << 10
	// What can be sniffed of a body's type.
	sniffed = 512
)

// response is the http.ResponseWriter and http.Flusher of a request. Its head is
// written into out when the status is said, but for the lines that depend on
// the body.
type response struct {
	c      *conn
	header http.Header // what the handler sets
	status int         // 0: not said yet
	length int64       // of the body as the handler said; -1: it did not
	wrote  int64       // bytes of body that the handler wrote
	out    []byte      // the head, as far as it stands and was not sent
	body   []byte      // what was not sent of it
	sent   bool        // the head was
	chunks bool        // the body goes as chunks
	dated  bool        // the handler set Date
	sniff  bool        // the handler said nothing of the body's type
	last   bool        // the connection closes after this answer
	err    error       // of writing to the client
}

func (w *response) begin() {
	clear(w.header)
	out, body := w.out[:0], w.body[:0]
	if cap(out) > keptBuffer {
		out = nil
	}
	if cap(body) > keptBuffer {
		body = nil
	}
	*w = response{c: w.c, header: w.header, out: out, body: body, length: -1}
}

// Header is that of the answer; changes count until WriteHeader.
func (w *response) Header() http.Header { return w.header }

// WriteHeader says the status. One of 1xx is sent at once, and another follows;
// of the others the first counts.
func (w *response) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic("http1: status " + strconv.Itoa(status) + " is not one of three digits")
	case w.status != 0:
		return
	case status < 200:
		w.out = append(w.appendFields(appendStatus(w.out, status)), "\r\n"...)
		w.send(time.Now(), w.out)
		w.out = w.out[:0]
		return
	}
	w.status = status
	w.sniff = true
	w.out = w.appendFields(appendStatus(w.out, status))
	if w.c.s.stopping.Load() {
		w.last = true
	}
}

func appendStatus(b []byte, status int) []byte {
	if status == http.StatusOK {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = strconv.AppendInt(append(b, "status code "...), int64(status), 10)
	}
	return append(b, "\r\n"...)
}

// appendFields appends the handler's headers, but for those that say how the
// message is read.
func (w *response) appendFields(b []byte) []byte {
	for name, values := range w.header {
		switch name {
		case "Content-Length":
			if n, err := strconv.ParseInt(w.header.Get(name), 10, 64); err == nil && n >= 0 && w.bodyAllowed() {
				w.length = n
			}
			continue
		case "Connection":
			w.last = w.last || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "close") })
			continue
		case "Transfer-Encoding", "Trailer":
			continue
		case "Date":
			w.dated = true
		case "Content-Type", "Content-Encoding":
			w.sniff = false
		}
		if !isToken(name) {
			continue
		}
		for _, v := range values {
			b = append(append(b, name...), ": "...)
			b = append(append(b, oneLine(v)...), "\r\n"...)
		}
	}
	return b
}

// oneLine keeps a value from becoming more than one.
func oneLine(v string) string {
	if strings.ContainsAny(v, "\r\n") {
		v = strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
	}
	return strings.Trim(v, " \t")
}

func (w *response) bodyAllowed() bool {
	return w.status >= 200 && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// Write collects the body, and sends it when it grows large.
func (w *response) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil {
		return 0, err
	}
	if w.body = append(w.body, p...); len(w.body) > collected {
		w.Flush()
	}
	return len(p), w.err
}

// WriteString is Write.
func (w *response) WriteString(s string) (int, error) {
	if err := w.admit(len(s)); err != nil {
		return 0, err
	}
	if w.body = append(w.body, s...); len(w.body) > collected {
		w.Flush()
	}
	return len(s), w.err
}

// admit counts bytes of the body that are about to be written.
func (w *response) admit(n int) error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.err != nil:
		return w.err
	case !w.bodyAllowed():
		return http.ErrBodyNotAllowed
	case w.length >= 0 && w.wrote+int64(n) > w.length:
		return http.ErrContentLength
	}
	w.wrote += int64(n)
	return nil
}

// Flush sends what there is.
func (w *response) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	now := time.Now()
	if !w.sent {
		w.chunks = w.bodyAllowed() && w.length < 0
		w.endHead(now)
	}
	w.appendBody()
	w.send(now, w.out)
	w.out, w.body = w.out[:0], w.body[:0]
}

// finish ends the answer, and reports whether it was sent whole.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	short := w.length >= 0 && w.wrote < w.length
	now := time.Now()
	if !w.sent {
		if w.length < 0 && w.bodyAllowed() {
			w.length = w.wrote
		}
		w.endHead(now)
	}
	w.appendBody()
	if w.chunks {
		w.out = append(w.out, "0\r\n\r\n"...)
	}
	w.send(now, w.out)
	return w.err == nil && !short // the client would take the next answer for the rest
}

// endHead appends what was left open of the head.
func (w *response) endHead(now time.Time) {
	b := w.out
	if w.sniff && len(w.body) > 0 {
		b = append(append(append(b, "Content-Type: "...), http.DetectContentType(w.body[:min(len(w.body), sniffed)])...), "\r\n"...)
	}
	if !w.dated {
		b = append(append(append(b, "Date: "...), date(now)...), "\r\n"...)
	}
	switch {
	case w.chunks:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case w.length >= 0:
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), w.length, 10), "\r\n"...)
	}
	if w.last {
		b = append(b, "Connection: close\r\n"...)
	}
	w.out, w.sent = append(b, "\r\n"...), true
}

// appendBody appends what was collected of the body.
func (w *response) appendBody() {
	if len(w.body) == 0 {
		return
	}
	if w.chunks {
		w.out = append(strconv.AppendInt(w.out, int64(len(w.body)), 16), "\r\n"...)
	}
	w.out = append(w.out, w.body...)
	if w.chunks {
		w.out = append(w.out, "\r\n"...)
	}
}

func (w *response) send(now time.Time, b []byte) {
	if w.err == nil && len(b) > 0 {
		w.err = w.c.write(now, b)
	}
}

// stamp is the Date of a second.
type stamp struct {
	second int64
	text   string
}

var lastStamp atomic.Pointer[stamp]

// date returns now as HTTP says it, which changes once a second.
func date(now time.Time) string {
	s := lastStamp.Load()
	if s == nil || s.second != now.Unix() {
		s = &stamp{now.Unix(), now.UTC().Format(http.TimeFormat)}
		lastStamp.Store(s)
	}
	return s.text
}
