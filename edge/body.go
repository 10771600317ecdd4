package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/forwarded"
)

// A requestBody is what a client sends: nothing, bytes read beforehand, or a
// stream that can be read once.
type requestBody struct {
	length int64  // -1: not known
	data   []byte // whole, if stream is nil
	stream io.Reader
	begun  bool // of stream
}

func (b *requestBody) chunked() bool { return b.length < 0 }

// again reports whether the body can be sent from its beginning.
func (b *requestBody) again() bool { return b.stream == nil || !b.begun }

// readBody reads a small body whole; a larger one, or one of unknown length,
// stays a stream. If it returns false the client has its answer.
func (x *exchange) readBody() (*requestBody, bool) {
	r, n := x.r, x.r.ContentLength
	switch {
	case n == 0 || r.Body == nil || r.Body == http.NoBody:
		return &noBody, true
	case n > x.e.opt.MaxBody:
		x.fail("body too large", http.StatusRequestEntityTooLarge, pageTooLarge)
		return nil, false
	case n > 0 && n <= bufferedBody:
		data := make([]byte, n)
		if _, err := io.ReadFull(r.Body, data); err != nil {
			x.fail("request incomplete: "+err.Error(), http.StatusBadRequest, pageBroken)
			return nil, false
		}
		return &requestBody{length: n, data: data}, true
	}
	// Without it net/http reads the rest of the request before it writes the
	// first byte of an answer. Not every server can; then it stays so.
	_ = http.NewResponseController(x.w).EnableFullDuplex()
	return &requestBody{length: n, stream: http.MaxBytesReader(x.w, r.Body, x.e.opt.MaxBody)}, true
}

var noBody requestBody

// An upload sends a stream to a target while the answer is awaited. Its
// goroutine ends when the stream does or the connection is closed; finish
// waits for it.
type upload struct {
	c        *conn
	done     chan struct{}
	readErr  atomic.Pointer[error] // the client's; set before c is closed for it
	writeErr error                 // the target's; set before done is closed
}

// startUpload begins to send the body's stream on c.
func (x *exchange) startUpload(c *conn, body *requestBody) *upload {
	body.begun = true
	u := &upload{c: c, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		u.run(body, x.r)
		if u.clientErr() != nil {
			c.Close() // the target must not take a part for the whole
		}
		c.SetReadDeadline(time.Now().Add(c.t.opt.ResponseTimeout))
	}()
	return u
}

const chunkRoom = 16 // for a chunk's length line before its data

var uploadBuffers = sync.Pool{New: func() any { return new([chunkRoom + 32<<10 + 2]byte) }}

func (u *upload) run(body *requestBody, r *http.Request) {
	buf := uploadBuffers.Get().(*[chunkRoom + 32<<10 + 2]byte)
	defer uploadBuffers.Put(buf)
	data := buf[chunkRoom : len(buf)-2]
	for {
		n, err := body.stream.Read(data)
		if n > 0 {
			out := data[:n]
			if body.chunked() {
				out = frameChunk(buf[:], n)
			}
			u.c.SetWriteDeadline(time.Now().Add(u.c.t.opt.ResponseTimeout))
			if _, werr := u.c.Write(out); werr != nil {
				u.writeErr = werr
				return
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			u.readErr.Store(&err)
			return
		}
	}
	if body.chunked() {
		_, u.writeErr = u.c.Write(appendTrailer([]byte("0\r\n"), r.Trailer))
	}
}

// frameChunk puts the length line and the end around the n bytes of data that
// stand in buf after chunkRoom.
func frameChunk(buf []byte, n int) []byte {
	var line [chunkRoom]byte
	head := append(strconv.AppendInt(line[:0], int64(n), 16), "\r\n"...)
	from := chunkRoom - len(head)
	copy(buf[from:], head)
	copy(buf[chunkRoom+n:], "\r\n")
	return buf[from : chunkRoom+n+2]
}

func appendTrailer(b []byte, trailer http.Header) []byte {
	for name, values := range trailer {
		if hopHeader(name) || forwarded.IsHeader(name) || name == "Content-Length" {
			continue
		}
		for _, v := range values {
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// finished reports whether the whole body was sent.
func (u *upload) finished() bool {
	if u == nil {
		return true
	}
	select {
	case <-u.done:
		return u.clientErr() == nil && u.writeErr == nil
	default:
		return false
	}
}

// finish ends the upload if it is still under way, by closing the connection,
// and waits. A client that is not sending is not waited for longer than the
// grace; one that is sending can then still read the answer, since net/http
// reads on for a while.
func (u *upload) finish(x *exchange) {
	if u == nil {
		return
	}
	select {
	case <-u.done:
		return
	default:
	}
	u.c.Close()
	const grace = 250 * time.Millisecond
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(grace))
	<-u.done
}

// clientErr returns what went wrong on the client's side of the upload.
func (u *upload) clientErr() error {
	if u == nil {
		return nil
	}
	if err := u.readErr.Load(); err != nil {
		return *err
	}
	return nil
}

func isTooLarge(err error) bool {
	var tooLarge *http.MaxBytesError
	return errors.As(err, &tooLarge)
}

func isCanceled(ctx context.Context) bool { return ctx.Err() != nil }
