package memcachedcache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

// Client implements driver.Cache over a pool of connections to one server.
type Client struct {
	address  string
	timeout  time.Duration
	maxIdle  int
	maxValue int
	dial     func(ctx context.Context, address string) (net.Conn, error)

	slots  chan struct{} // one for each connection in use
	closed chan struct{}

	mu   sync.Mutex
	idle []*conn // last used last
	done bool
}

var _ driver.Cache = (*Client)(nil)

// conn is a connection; one operation uses it at a time.
type conn struct {
	nc  net.Conn
	r   *bufio.Reader
	out []byte // the command that is being built

	since time.Time // idle since
}

// restful is how long a connection may be idle without being looked at before
// it is used: the look is a system call, and under load there are few closed.
const restful = 10 * time.Millisecond

// New returns a client of the server at host:port; o may be nil.
func New(address string, o *Options) (*Client, error) {
	if o == nil {
		o = &Options{}
	}
	c := &Client{address: address, timeout: o.Timeout, maxIdle: o.MaxIdle, maxValue: o.MaxValue, dial: o.Dial, closed: make(chan struct{})}
	conns := o.MaxConns
	if conns == 0 {
		conns = 64
	}
	if c.timeout == 0 {
		c.timeout = 3 * time.Second
	}
	if c.maxIdle == 0 {
		c.maxIdle = min(16, conns)
	}
	if c.maxValue == 0 {
		c.maxValue = 1 << 20
	}
	if c.dial == nil {
		c.dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	switch {
	case conns < 1 || conns > 1<<16:
		return nil, fmt.Errorf("memcachedcache: MaxConns %d is not in 1–%d", conns, 1<<16)
	case c.maxIdle > conns:
		return nil, fmt.Errorf("memcachedcache: MaxIdle %d is above MaxConns %d", c.maxIdle, conns)
	case c.timeout < 0:
		return nil, fmt.Errorf("memcachedcache: Timeout %v is negative", c.timeout)
	case c.maxValue < 1 || c.maxValue > 1<<30:
		return nil, fmt.Errorf("memcachedcache: MaxValue %d is not in 1–%d", c.maxValue, 1<<30)
	}
	c.slots = make(chan struct{}, conns)
	return c, nil
}

// do runs one exchange on a connection. f builds the command in cn.out, sends
// it and reads the whole answer; after an error that is not an answer of the
// protocol the connection is thrown away, for what is left on it is unknown.
func (c *Client) do(ctx context.Context, f func(cn *conn) error) error {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	if err := c.acquire(ctx); err != nil {
		return err
	}
	defer func() { <-c.slots }()
	cn, err := c.take(ctx)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	if err := cn.nc.SetDeadline(deadline); err != nil {
		cn.nc.Close()
		return c.explain(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { cn.nc.SetDeadline(past) })
	cn.out = cn.out[:0]
	err = f(cn)
	answered := err == nil || isAnswer(err)
	if stop() && answered {
		c.put(cn)
		return err
	}
	// Out of step, or its deadline may be put into the past at any moment.
	cn.nc.Close()
	if answered {
		return err
	}
	return c.explain(ctx, err)
}

var past = time.Unix(1, 0)

// bound gives ctx the client's timeout.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

// acquire waits for leave to use a connection.
func (c *Client) acquire(ctx context.Context) error {
	select {
	case <-c.closed:
		return driver.ErrClosed
	default:
	}
	select {
	case c.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-c.closed:
		return driver.ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("all %d connections to %s are in use: %w", cap(c.slots), c.address, ctx.Err())
	}
}

// take returns an idle connection that is still open, else a new one.
func (c *Client) take(ctx context.Context) (*conn, error) {
	for {
		c.mu.Lock()
		n := len(c.idle)
		if n == 0 {
			c.mu.Unlock()
			break
		}
		cn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		if time.Since(cn.since) < restful || alive(cn.nc) {
			return cn, nil
		}
		cn.nc.Close()
	}
	nc, err := c.dial(ctx, c.address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the cache server: %w", err)
	}
	return &conn{nc: nc, r: bufio.NewReaderSize(nc, 4096)}, nil
}

// put keeps a connection for later, unless there are enough.
func (c *Client) put(cn *conn) {
	if cap(cn.out) > 64<<10 {
		cn.out = nil
	}
	cn.since = time.Now()
	c.mu.Lock()
	if !c.done && len(c.idle) < c.maxIdle {
		c.idle = append(c.idle, cn)
		cn = nil
	}
	c.mu.Unlock()
	if cn != nil {
		cn.nc.Close()
	}
}

// explain names the server, and the context's end where that was the reason.
func (c *Client) explain(ctx context.Context, err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && ctx.Err() == nil {
		// The connection's clock ran out a moment before the context's.
		err = context.DeadlineExceeded
	} else if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("cache server %s: %w", c.address, err)
}

// Close closes the idle connections, lets operations that run end, and waits
// for them, no longer than Timeout.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return nil
	}
	c.done = true
	idle := c.idle
	c.idle = nil
	close(c.closed)
	c.mu.Unlock()
	for _, cn := range idle {
		cn.nc.Close()
	}
	for range cap(c.slots) { // each operation has a deadline, so this ends
		c.slots <- struct{}{}
	}
	return nil
}
