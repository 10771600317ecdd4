package http1

import (
	"net/http"
	"strconv"
	"time"
)

const (
	// So much of an answer of unknown length is collected before it is sent,
	// bytes; one that ends within it is sent in one write, with its length.
	collected = 64 << 10
	// What is larger than that and need not be collected is sent from where it
	// is, bytes: copying less costs less than a second buffer for the system call.
	uncopied = 16 << 10
	// Larger buffers are not kept for the next answer, bytes.
	keptBuffer = 32 << 10
	// What can be sniffed of a body's type.
	sniffed = 512
)

// response is the http.ResponseWriter of a request. Its head is written into out
// when the status is said, but for the lines that depend on the body.
type response struct {
	c        *conn
	header   http.Header // what the handler sets
	isHead   bool        // no body follows
	status   int         // 0: not said yet
	length   int64       // of the body as the handler said; -1: it did not
	wrote    int64       // bytes of body that the handler wrote
	out      []byte      // the head, as far as it stands and was not sent
	body     []byte      // what was not sent of it
	sent     bool        // the head was
	chunks   bool        // the body goes as chunks
	dated    bool        // the handler set Date
	sniff    bool        // the handler said nothing of the body's type
	last     bool        // the connection closes after this answer
	trailers []string    // the handler announced them
	trailing bool        // there are some, announced or not
	err      error       // of writing to the client
	vector   [2][]byte   // what one system call writes
}

func (w *response) begin(isHead bool) {
	clear(w.header)
	out, body := w.out[:0], w.body[:0]
	if cap(out) > keptBuffer {
		out = nil
	}
	if cap(body) > keptBuffer {
		body = nil
	}
	*w = response{c: w.c, header: w.header, out: out, body: body, length: -1, isHead: isHead}
}

// Header is that of the answer; changes count until WriteHeader, and those of
// trailers until the end.
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
		w.out = append(w.appendFields(appendStatus(w.out, status), status), "\r\n"...)
		w.send(time.Now(), w.out)
		w.out = w.out[:0]
		w.length, w.last, w.dated, w.trailers, w.trailing = -1, false, false, nil, false
		return
	}
	w.status = status
	w.sniff = true
	w.out = w.appendFields(appendStatus(w.out, status), status)
	if w.c.s.stopping.Load() {
		w.last = true
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// Write sends the body, or collects it while its length is not known.
func (w *response) Write(p []byte) (int, error) {
	if err := w.admit(len(p)); err != nil || w.isHead && !w.sniff {
		return w.count(len(p), err)
	}
	if len(p) >= uncopied && !w.isHead && (w.sent || !w.sniff && w.length >= 0) {
		w.sendUncopied(p)
		return w.count(len(p), w.err)
	}
	if w.body = append(w.body, p...); len(w.body) > collected {
		w.Flush()
	}
	return w.count(len(p), w.err)
}

// WriteString is Write.
func (w *response) WriteString(s string) (int, error) {
	if err := w.admit(len(s)); err != nil || w.isHead && !w.sniff {
		return w.count(len(s), err)
	}
	if w.body = append(w.body, s...); len(w.body) > collected {
		w.Flush()
	}
	return w.count(len(s), w.err)
}

func (w *response) count(n int, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return n, nil
}

// admit counts bytes of the body that are about to be written.
func (w *response) admit(n int) error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.err != nil:
		return w.err
	case !bodyAllowed(w.status):
		return http.ErrBodyNotAllowed
	case w.length >= 0 && w.wrote+int64(n) > w.length:
		return http.ErrContentLength
	}
	w.wrote += int64(n)
	return nil
}

// Flush sends what there is.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush, and says whether the client is gone.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	now := time.Now()
	w.beginBody(now)
	w.appendBody()
	w.send(now, w.out)
	w.out, w.body = w.out[:0], w.body[:0]
	return w.err
}

// beginBody ends the head of an answer whose length is as known as it will be.
func (w *response) beginBody(now time.Time) {
	if !w.sent {
		w.chunks = bodyAllowed(w.status) && w.length < 0 && !w.isHead
		w.endHead(now)
	}
}

// sendUncopied sends what was collected and then p.
func (w *response) sendUncopied(p []byte) {
	now := time.Now()
	w.beginBody(now)
	w.appendBody()
	w.body = w.body[:0]
	if w.chunks {
		w.out = append(strconv.AppendInt(w.out, int64(len(p)), 16), "\r\n"...)
	}
	w.vector = [2][]byte{w.out, p}
	w.sendVector(now)
	w.out = w.out[:0]
	if w.chunks {
		w.out = append(w.out, "\r\n"...) // goes with what follows
	}
}

func (w *response) sendVector(now time.Time) {
	if w.err == nil {
		w.c.limits.write(now)
		w.err = w.c.writeBoth(&w.vector)
	}
	w.vector = [2][]byte{}
}

// finish ends the answer, and reports whether it was sent whole.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	short := w.length >= 0 && w.wrote < w.length && !w.isHead && bodyAllowed(w.status)
	now := time.Now()
	if !w.sent {
		switch {
		case w.length >= 0 || !bodyAllowed(w.status) || w.isHead && (w.wrote == 0 || w.trailing):
		case w.trailing:
			w.chunks = true
		default:
			w.length = w.wrote
		}
		w.endHead(now)
	}
	w.appendBody()
	if w.chunks {
		w.out = append(w.appendTrailers(append(w.out, "0\r\n"...)), "\r\n"...)
	}
	w.send(now, w.out)
	return w.err == nil && !short // the client would take the next answer for the rest
}

// appendBody appends what was collected of the body.
func (w *response) appendBody() {
	if len(w.body) == 0 || w.isHead {
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
		w.c.limits.write(now)
		w.err = w.c.write(b)
	}
}

// SetReadDeadline is for http.ResponseController: when reading the request's
// body ends, until the answer does.
func (w *response) SetReadDeadline(t time.Time) error { return w.c.limits.handlerRead(t) }

// SetWriteDeadline is the same of the answer.
func (w *response) SetWriteDeadline(t time.Time) error { return w.c.limits.handlerWrite(t) }

// EnableFullDuplex is what holds anyway.
func (w *response) EnableFullDuplex() error { return nil }
