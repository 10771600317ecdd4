package edge

import (
	"bytes"
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
	begun  bool        // of stream
	client *clientBody // that stream reads from; nil: it does not
	file   *spool      // that stream reads from; nil: it does not
}

func (b *requestBody) chunked() bool { return b.length < 0 }

// again reports whether the body can be sent from its beginning.
func (b *requestBody) again() bool { return b.stream == nil || !b.begun }

// close ends what the body holds.
func (b *requestBody) close() { b.file.close() }

// readBody reads a small body whole, and a larger one into a file; what is larger
// still, or of unknown length, stays a stream. If it returns false the client
// has its answer.
func (x *exchange) readBody() (*requestBody, bool) {
	r, n := x.r, x.r.ContentLength
	switch {
	case n == 0 || r.Body == nil || r.Body == http.NoBody:
		return &noBody, true
	case n > x.setup.MaxBody:
		x.fail("body too large", http.StatusRequestEntityTooLarge, pageTooLarge)
		return nil, false
	case n > 0 && n <= bufferedBody:
		data := make([]byte, n)
		client := x.clientBody(r.Body)
		if _, err := io.ReadFull(client, data); err != nil {
			x.notWhole(err)
			return nil, false
		}
		client.unbound()
		return &requestBody{length: n, data: data}, true
	case n > 0 && n <= x.setup.Bodies.Request:
		if file, err := x.e.spools.open(n); err == nil {
			return x.spoolBody(file, n)
		} else {
			x.e.spoolFailed(err)
		}
	}
	// Without it net/http reads the rest of the request before it writes the
	// first byte of an answer. Not every server can; then it stays so.
	_ = http.NewResponseController(x.w).EnableFullDuplex()
	client := x.clientBody(http.MaxBytesReader(x.w, r.Body, x.setup.MaxBody))
	return &requestBody{length: n, stream: client, client: client}, true
}

// notWhole answers a request whose body did not arrive.
func (x *exchange) notWhole(err error) {
	if isTooSlow(err) {
		x.fail(err.Error(), http.StatusRequestTimeout, pageTooSlow)
		return
	}
	x.fail("request incomplete: "+err.Error(), http.StatusBadRequest, pageBroken)
}

// spoolBody reads a body into a file. If that fails what was read goes on as a
// stream.
func (x *exchange) spoolBody(file *spool, n int64) (*requestBody, bool) {
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	b := &requestBody{length: n, file: file}
	client := x.clientBody(x.r.Body)
	for file.size < n {
		got, err := client.Read(buf[:min(int64(len(buf)), n-file.size)])
		if _, werr := file.Write(buf[:got]); werr != nil {
			x.e.spoolFailed(werr)
			_ = http.NewResponseController(x.w).EnableFullDuplex()
			b.client = client
			b.stream = io.MultiReader(file.reader(), bytes.NewReader(bytes.Clone(buf[:got])), client)
			return b, true
		}
		if err != nil && file.size < n {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			b.close()
			x.notWhole(err)
			return nil, false
		}
	}
	client.unbound()
	b.stream = file.reader()
	return b, true
}

var noBody requestBody

// An upload sends a stream to a target while the answer is awaited. Its
// goroutine ends when the stream does or the connection is closed; finish
// waits for it.
type upload struct {
	c        *conn
	body     *requestBody
	done     chan struct{}
	readErr  atomic.Pointer[error] // the client's; set before c is closed for it
	writeErr error                 // the target's; set before done is closed
}

// startUpload begins to send the body's stream on c.
func (x *exchange) startUpload(c *conn, body *requestBody) *upload {
	if body.file != nil && body.client == nil {
		body.stream = body.file.reader() // from the start, each time
	} else {
		body.begun = true
	}
	u := &upload{c: c, body: body, done: make(chan struct{})}
	go func() {
		defer close(u.done)
		u.run(body, x.r)
		if u.clientErr() != nil {
			c.Close() // the target must not take a part for the whole
		}
		c.SetReadDeadline(time.Now().Add(c.t.opt.Load().ResponseTimeout))
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
			u.c.SetWriteDeadline(time.Now().Add(u.c.t.opt.Load().ResponseTimeout))
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
func (u *upload) finish() {
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
	if u.body.client != nil {
		u.body.client.end(grace)
	}
	<-u.done
}

// answered says that the application has begun its answer.
func (u *upload) answered() {
	if u != nil && u.body.client != nil {
		u.body.client.release()
	}
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
