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
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/internal/nonblock"
)

const (
	// A head that does not fit into it is not plain, bytes.
	bufferSize = 8 << 10
	// A handler did not read its request's body: how long the rest may take.
	drainTimeout = 10 * time.Second
	// What counts as no timeout.
	unbounded = 24 * time.Hour
	// So many bytes of CR and LF after a request are no part of the next: some
	// clients end the body of a POST so, and net/http bears it, too.
	blanksAfter = 4
)

// conn is a connection that is served here, by the goroutine of serve.
type conn struct {
	s        *Server
	tcp      *net.TCPConn
	from     net.Conn // tcp, or what stands before it and knows who the client is
	secure   *secure  // nil: no TLS
	raw      syscall.RawConn
	template *http.Request   // what its requests have in common
	remote   string          // its client
	ctx      context.Context // of its requests: knows the local address

	*desk     // nil while nothing of a request is there
	r, w  int // buf[r:w] was read and not used
	n     int // what the last fill read
	err   error
	fill  func(fd uintptr) bool

	out     nonblock.Vector // what is being written
	outErr  error
	sending *nonblock.Sending // in place of out, if it is not nil
	emit    func(fd uintptr) bool

	served bool // a request
	blanks int  // so many CR and LF may yet be left out before the next head
	watch  watch
	limits deadlines

	mu   sync.Mutex
	idle bool // waits for a request, of which nothing came yet
}

// A desk is what a connection needs for a request and not between two: that
// is most of its memory.
type desk struct {
	buf   [bufferSize]byte
	head  *head
	reply response

	glimpse Glance
}

var desks = sync.Pool{New: func() any { return &desk{head: newHead(), reply: response{header: make(http.Header, 16)}} }}

// newConn makes a connection whose addresses are those of from.
func newConn(s *Server, tcp *net.TCPConn, from net.Conn) (*conn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &conn{s: s, tcp: tcp, from: from, raw: raw}
	c.fill, c.emit = c.fillFD, c.emitFD
	c.limits.tcp = tcp
	c.watch.init(c)
	return c, nil
}

// sit takes a desk, leave gives it back.
func (c *conn) sit() {
	c.desk = desks.Get().(*desk)
	c.reply.c = c
}

func (c *conn) leave() {
	if c.desk != nil {
		c.reply.c = nil
		desks.Put(c.desk)
		c.desk = nil
	}
}

// serve answers requests until the connection ends or passes to net/http. Of
// the first request rest was read.
func (c *conn) serve(rest []byte) {
	defer c.s.ended(c)
	c.remote = c.from.RemoteAddr().String()
	c.ctx = context.WithValue(c.s.ctx, http.LocalAddrContextKey, c.from.LocalAddr())
	c.template = &http.Request{RemoteAddr: c.remote, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, TLS: c.state()}
	if len(rest) > 0 {
		c.sit()
		c.w = copy(c.buf[:], rest)
	}
	for {
		n, err := c.readHead()
		if err == nil && n > 0 && c.quickly(n) {
			if c.reply.err == nil {
				continue
			}
			err = c.reply.err
		}
		if err == nil && !(n > 0 && c.head.parse(c.buf[c.r:c.r+n])) {
			c.tcp.SetDeadline(time.Time{})
			rest := bytes.Clone(c.buf[c.r:c.w])
			c.leave()
			c.s.other.pass(scanning(c.beginning(rest)))
			return
		}
		if err != nil || !c.answer(n) {
			c.close()
			c.leave()
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
		if !mayBegin(data) {
			return 0, nil
		}
		seen = max(0, len(data)-len(blankLine)+1)
		c.w, c.r = copy(c.buf[:], data), 0
		if c.w == len(c.buf) {
			return 0, nil
		}
		if first {
			c.limits.readWithin(time.Now(), timeout(c.s.HTTP.ReadHeaderTimeout, c.s.HTTP.ReadTimeout))
		}
		n, err := c.read(c.buf[c.w:])
		switch {
		case errors.Is(err, io.EOF) && c.served && len(data) < 4: // net/http answers nothing then
			return 0, err
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
	c.limits.readWithinAbout(time.Now(), timeout(c.s.HTTP.IdleTimeout, c.s.HTTP.ReadTimeout))
	c.setIdle(true)
	if c.s.stopping.Load() { // asked after idle is seen: Shutdown does it the other way round
		return errStopping
	}
	var err error
	if c.secure != nil {
		err = c.secure.await(c)
	} else if err = c.raw.Read(c.fill); err == nil {
		err = c.err
	}
	if !c.setIdle(false) {
		return errStopping
	}
	if err != nil {
		return err
	}
	c.w = c.n
	return nil
}

// fillFD reads what there is, at a desk that it leaves if there is nothing.
func (c *conn) fillFD(fd uintptr) bool {
	if c.desk == nil {
		c.sit()
	}
	n, ok, err := nonblock.Read(fd, c.buf[:])
	if !ok {
		c.leave()
		return false
	}
	c.n, c.err = n, err
	return true
}

// setIdle says whether the connection waits for a request, and returns whether
// it did.
func (c *conn) setIdle(idle bool) (was bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, c.idle = c.idle, idle
	return was
}

// closeIdle closes the connection if it waits for a request. One with TLS
// closes itself, for it has to say so to its client, which may take time.
func (c *conn) closeIdle() {
	c.mu.Lock()
	was, secure := c.idle, c.secure
	c.idle = false
	c.mu.Unlock()
	switch {
	case !was:
	case secure != nil:
		c.limits.expire()
	default:
		c.tcp.Close()
	}
}

// answer handles the request whose head of n bytes was parsed, and reports
// whether the connection may go on.
func (c *conn) answer(n int) bool {
	c.r += n
	c.served, c.blanks = true, blanksAfter
	h := c.head
	kept := c.s.keeps()
	if kept {
		c.renew()
	}
	ctx := &requestContext{Context: c.ctx}
	defer ctx.cancel()
	r := c.template.WithContext(ctx)
	r.Method, r.URL, r.RequestURI, r.Host, r.Header, r.ContentLength, r.Body = h.method, &h.url, h.uri, h.host, h.header, h.length, http.NoBody
	var b *body
	if h.length > 0 {
		b = &body{c: c, left: h.length}
		r.Body = b
	}
	c.watch.begin(ctx)
	if h.length <= int64(c.w-c.r) {
		c.watch.start()
	}
	if c.s.ctx.Err() != nil { // asked after the watch knows of the request: Close does it the other way round
		ctx.cancel()
	}
	finished := c.handle(r)
	left := int64(0)
	if b != nil {
		left = b.end() // first: who reads the last byte starts the watch
	}
	c.watch.stop(c)
	if !finished || !c.reply.finish() {
		return false
	}
	if !kept && c.s.keeps() { // since the request began
		c.renew()
	}
	c.limits.takeBack()
	return c.discard(left) && !c.reply.last
}

// renew leaves the headers to the handler.
func (c *conn) renew() { c.head, c.reply.header = newHead(), make(http.Header, 8) }

func (s *Server) keeps() bool { return s.Keep != nil && s.Keep() }

// handle calls the handler; false if that panicked.
func (c *conn) handle(r *http.Request) (finished bool) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			c.s.Log.Error("a handler panicked", "panic", fmt.Sprint(v), "remote", r.RemoteAddr, "stack", string(debug.Stack()))
		}
	}()
	c.reply.begin(r.Method == http.MethodHead)
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
	c.limits.readWithin(time.Now(), drainTimeout)
	_, err := io.CopyN(io.Discard, reading{c}, left)
	return err == nil
}
