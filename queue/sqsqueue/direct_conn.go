package sqsqueue

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	// idleConns are kept for later, each for idleTime: shorter than the
	// endpoint keeps them.
	idleConns = 64
	idleTime  = 30 * time.Second
	// keptBuffer is the largest buffer that an idle connection keeps.
	keptBuffer = 64 << 10
)

// conn is a connection to the endpoint, for one request at a time.
type conn struct {
	net.Conn
	out   []byte // the request
	in    []byte // the reply
	whole bool   // it was read to its end, no byte is left, and more may follow
	used  time.Time

	entries int32 // that a request may have, as the reply says; 0: it does not
}

// exchange sends what is in c.out and returns the body of the reply, which is
// valid until the next exchange; false unless it is a 200.
func (c *conn) exchange(ctx context.Context) ([]byte, bool) {
	c.whole = false
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) }) //nolint:errcheck // a connection that is closed is no worse
		defer func() {
			if !stop() {
				c.whole = false // the deadline stays
			}
		}()
	}
	if _, err := c.Write(c.out); err != nil {
		return nil, false
	}
	return c.readReply()
}

func (c *conn) close() { c.Conn.Close() } //nolint:errcheck // nothing depends on it

// pool keeps connections that are not in use. The zero value with a host works.
type pool struct {
	host string

	mu     sync.Mutex
	idle   []*conn // in the order of their last use
	closed bool
}

// get returns the connection used last, or a new one.
func (p *pool) get(ctx context.Context) (*conn, error) {
	if c := p.take(); c != nil {
		return c, nil
	}
	var d net.Dialer
	n, err := d.DialContext(ctx, "tcp", p.host)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: n}, nil
}

func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	if time.Since(c.used) > idleTime { // and so are all before it
		p.drop(n)
		return nil
	}
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	return c
}

func (p *pool) put(c *conn) {
	if cap(c.out) > keptBuffer {
		c.out = nil
	}
	if cap(c.in) > keptBuffer {
		c.in = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.close()
		return
	}
	c.used = time.Now()
	if len(p.idle) == idleConns {
		p.drop(1)
	}
	p.idle = append(p.idle, c)
}

// drop closes the n connections not used for longest.
func (p *pool) drop(n int) {
	for _, c := range p.idle[:n] {
		c.close()
	}
	p.idle = append(p.idle[:0], p.idle[n:]...)
}

// close closes what is not in use, and what is as soon as it no longer is.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.drop(len(p.idle))
}
