package http1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// A head that does not fit into it is not plain, bytes.
	bufferSize = 8 << 10
	// A handler did not read its request's body: how long the rest may take.
	drainTimeout = 10 * time.Second
	// A client takes nothing of its answer: how long one write may wait.
	writeTimeout = 5 * time.Minute
	// What counts as no timeout.
	unbounded = 24 * time.Hour
	// So many bytes of CR and LF after a request are no part of the next: some
	// clients end the body of a POST so, and net/http bears it, too.
	blanksAfter = 4
)

// conn is a connection that is served here, by the goroutine of serve.
type conn struct {
	s      *Server
	tcp    *net.TCPConn
	ctx    context.Context // of its requests: knows the local address
	cancel context.CancelFunc

	buf  [bufferSize]byte
	r, w int // buf[r:w] was read and not used

	blanks int // so many CR and LF may yet be left out before the next head

	head    head
	request http.Request // what all have in common
	reply   response
	watch   watch

	readBy, writeBy time.Time // deadlines that are set; zero: none

	mu   sync.Mutex
	idle bool // waits for a request, of which nothing came yet
}

func newConn(s *Server, tcp *net.TCPConn) *conn {
	c := &conn{s: s, tcp: tcp}
	c.ctx, c.cancel = context.WithCancel(context.WithValue(s.ctx, http.LocalAddrContextKey, tcp.LocalAddr()))
	c.head.header = make(http.Header, 16)
	c.request = http.Request{
		Method: http.MethodPost, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RemoteAddr: tcp.RemoteAddr().String(),
	}
	c.reply.c, c.reply.header = c, make(http.Header, 8)
	c.watch.init(c)
	return c
}

// serve answers requests until the connection ends or passes to net/http.
func (c *conn) serve() {
	defer c.s.ended(c)
	defer c.cancel()
	for {
		n, err := c.readHead()
		if err == nil && !(n > 0 && c.head.parse(c.buf[c.r:c.r+n])) {
			c.tcp.SetDeadline(time.Time{})
			c.s.other.pass(&begun{TCPConn: c.tcp, rest: bytes.Clone(c.buf[c.r:c.w])})
			return
		}
		if err != nil || !c.answer(n) {
			c.tcp.Close()
			return
		}
	}
}

var errStopping = errors.New("the server stops")

// readHead reads up to the end of the next head and returns its length, its
// blank line included; 0 if the head is not plain, as far as can be seen.
func (c *conn) readHead() (int, error) {
	for c.skipBlanks(); c.r == c.w; c.skipBlanks() {
		if err := c.awaitRequest(); err != nil {
			return 0, err
		}
	}
	seen := 0 // so much has no blank line
	for first := true; ; first = false {
		data := c.buf[c.r:c.w]
		if i := bytes.Index(data[seen:], blankLine); i >= 0 {
			return seen + i + len(blankLine), nil
		}
		if !bytes.HasPrefix(data, requestStart[:min(len(data), len(requestStart))]) {
			return 0, nil
		}
		seen = max(0, len(data)-len(blankLine)+1)
		c.w, c.r = copy(c.buf[:], data), 0
		if c.w == len(c.buf) {
			return 0, nil
		}
		if first {
			c.readWithin(time.Now(), timeout(c.s.HTTP.ReadHeaderTimeout, c.s.HTTP.ReadTimeout))
		}
		n, err := c.tcp.Read(c.buf[c.w:])
		switch {
		case errors.Is(err, io.EOF): // half a head
			return 0, nil
		case err != nil:
			return 0, err
		}
		c.w += n
	}
}

// skipBlanks leaves out what may stand between a request and the next.
func (c *conn) skipBlanks() {
	for ; c.blanks > 0 && c.r < c.w; c.blanks-- {
		if b := c.buf[c.r]; b != '\r' && b != '\n' {
			c.blanks = 0
			return
		}
		c.r++
	}
}

// awaitRequest reads the first bytes of the next request.
func (c *conn) awaitRequest() error {
	c.r, c.w = 0, 0
	idle := timeout(c.s.HTTP.IdleTimeout, c.s.HTTP.ReadTimeout)
	now := time.Now()
	// A deadline that is nearly as wanted saves the call.
	if left := c.readBy.Sub(now); left > idle || left < idle-idle/8 {
		c.readWithin(now, idle)
	}
	c.setIdle(true)
	if c.s.stopping.Load() { // asked after idle is seen: Shutdown does it the other way round
		return errStopping
	}
	n, err := c.tcp.Read(c.buf[:])
	if !c.setIdle(false) {
		return errStopping
	}
	c.w = n
	return err
}

// setIdle says whether the connection waits for a request, and returns whether
// it did.
func (c *conn) setIdle(idle bool) (was bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, c.idle = c.idle, idle
	return was
}

// closeIdle closes the connection if it waits for a request.
func (c *conn) closeIdle() {
	if c.setIdle(false) {
		c.tcp.Close()
	}
}

// timeout is the first that is set.
func timeout(all ...time.Duration) time.Duration {
	for _, d := range all {
		if d > 0 {
			return d
		}
	}
	return unbounded
}

func (c *conn) readWithin(now time.Time, d time.Duration) {
	c.readBy = now.Add(d)
	c.tcp.SetReadDeadline(c.readBy)
}

// write writes to the client.
func (c *conn) write(now time.Time, b []byte) error {
	if c.writeBy.Sub(now) < writeTimeout/2 {
		c.writeBy = now.Add(writeTimeout)
		c.tcp.SetWriteDeadline(c.writeBy)
	}
	_, err := c.tcp.Write(b)
	return err
}

// answer handles the request whose head of n bytes was parsed, and reports
// whether the connection may go on.
func (c *conn) answer(n int) bool {
	c.r += n
	c.blanks = blanksAfter
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	b := &body{c: c, left: c.head.length, cancel: cancel}
	r := c.request.WithContext(ctx)
	r.URL, r.RequestURI, r.Host = &c.head.url, c.head.uri, c.head.host
	r.Header, r.ContentLength, r.Body = c.head.header, c.head.length, b
	if b.left == 0 {
		r.Body = http.NoBody
	}
	if b.left <= int64(c.w-c.r) {
		c.watch.start(cancel)
	}
	finished := c.handle(r)
	left := b.end() // first: who reads the last byte starts the watch
	c.watch.stop(c)
	return finished && c.reply.finish() && c.discard(left) && !c.reply.last
}

// handle calls the handler; false if that panicked.
func (c *conn) handle(r *http.Request) (finished bool) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			c.s.Log.Error("a handler panicked", "panic", fmt.Sprint(v), "remote", r.RemoteAddr, "stack", string(debug.Stack()))
		}
	}()
	c.reply.begin()
	c.s.HTTP.Handler.ServeHTTP(&c.reply, r)
	return true
}

// discard reads what the handler left of the body: closing on a client that
// still sends would take the answer from it.
func (c *conn) discard(left int64) bool {
	have := min(left, int64(c.w-c.r))
	c.r += int(have)
	if left -= have; left == 0 {
		return true
	}
	c.readWithin(time.Now(), drainTimeout)
	_, err := io.CopyN(io.Discard, c.tcp, left)
	return err == nil
}
