package edge

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/internal/nonblock"
)

// maxResponseHead bounds the headers of a target's answer.
const maxResponseHead = 256 << 10

var (
	errHeadTooLarge = errors.New("answer's headers are larger than 256 KiB")
	errRemoved      = errors.New("target was removed")
)

// A conn is a connection to a target. One request uses it at a time, from the
// goroutine of its handler: there is no goroutine of its own, which is half
// the cost of http.Transport.
type conn struct {
	net.Conn
	t         *target
	raw       syscall.RawConn
	br        *bufio.Reader // for answers that are not plain; nil: there was none
	head      []byte        // the request's head is assembled here
	limit     int           // bytes of headers that may still be read; below zero: any
	readBy    time.Time     // the deadline for reading; zero: none, or not known
	reused    bool
	idleSince time.Time
	keep      time.Duration // how long the target keeps it when unused
	closing   atomic.Bool
	state     atomic.Int32 // see recall
	abort     func()       // Close, as a function that exists once

	in    [answerBuffer]byte
	r, w  int // in[r:w] was read and not used
	turn  turn
	plain answerHead
}

// answerBuffer is how much is read of an answer at first, bytes: mostly all.
const answerBuffer = 8 << 10

// dial makes a connection to the target.
func (t *target) dial(ctx context.Context) (*conn, error) {
	d := net.Dialer{Timeout: t.opt.Load().DialTimeout}
	nc, err := d.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, t: t, keep: t.opt.Load().IdleTimeout, limit: -1}
	c.abort = func() { c.Close() }
	if tc, ok := nc.(*net.TCPConn); ok && nonblock.Possible {
		c.raw, _ = tc.SyscallConn()
	}
	c.turn.step = c.stepFD
	t.connMu.Lock()
	dead := t.dead
	if !dead {
		t.all[c] = struct{}{}
	}
	t.connMu.Unlock()
	if dead {
		nc.Close()
		return nil, errRemoved
	}
	return c, nil
}

// Read is what the buffered reader reads through: first what is there.
func (c *conn) Read(p []byte) (int, error) {
	if c.limit >= 0 {
		if c.limit == 0 {
			return 0, errHeadTooLarge
		}
		p = p[:min(len(p), c.limit)]
	}
	var n int
	var err error
	if c.r < c.w {
		n = copy(p, c.in[c.r:c.w])
		c.r += n
	} else {
		n, err = c.Conn.Read(p)
	}
	if c.limit >= 0 {
		c.limit -= n
	}
	return n, err
}

// Close may be called more than once and from any goroutine.
func (c *conn) Close() error {
	if c.closing.Swap(true) {
		return nil
	}
	c.t.connMu.Lock()
	delete(c.t.all, c)
	c.t.connMu.Unlock()
	return c.Conn.Close()
}

// buffered is how much was read and not used, bytes.
func (c *conn) buffered() int {
	n := c.w - c.r
	if c.br != nil {
		n += c.br.Buffered()
	}
	return n
}

// usable reports whether an unused connection is open and silent. A target
// that closed it, or wrote more than its last answer, must not have it used
// for another request.
func (c *conn) usable() (usable bool) {
	if c.raw == nil {
		return true
	}
	err := c.raw.Read(func(fd uintptr) bool {
		usable = nonblock.Silent(fd)
		return true
	})
	return usable && err == nil
}

// answerWithin sets the deadline for reading, to between d and an eighth more.
// That saves setting it for each of many requests.
func (c *conn) answerWithin(d time.Duration) {
	now := time.Now()
	if left := c.readBy.Sub(now); left < d || left > d+d/8 {
		c.readBy = now.Add(d + d/8)
		c.SetReadDeadline(c.readBy)
	}
}

// unbound ends the deadlines.
func (c *conn) unbound() {
	c.readBy = time.Time{}
	c.SetDeadline(time.Time{})
}

// unboundRead ends that for reading.
func (c *conn) unboundRead() {
	c.readBy = time.Time{}
	c.SetReadDeadline(time.Time{})
}

// readResponse reads the head of an answer to r; body bytes follow through it.
func (c *conn) readResponse(r *http.Request) (*http.Response, error) {
	if c.br == nil {
		c.br = bufio.NewReaderSize(c, 4<<10)
	}
	c.limit = maxResponseHead
	res, err := http.ReadResponse(c.br, r)
	c.limit = -1
	if err == nil {
		c.learnKeep(first(res.Header["Keep-Alive"]))
	}
	return res, err
}

// learnKeep reads "Keep-Alive: timeout=5": a second before that the connection
// is not used any more, for the target may be closing it.
func (c *conn) learnKeep(v string) {
	if v == "" {
		return
	}
	for part := range strings.SplitSeq(v, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if n, err := strconv.Atoi(value); err == nil && n >= 0 && n < 1e6 && strings.EqualFold(name, "timeout") {
			c.keep = min(c.t.opt.Load().IdleTimeout, max(0, time.Duration(n-1)*time.Second))
		}
	}
}
