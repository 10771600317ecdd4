package edge

import (
	"errors"
	"time"

	"github.com/dayfly-dev/dayfly/internal/nonblock"
)

// errStale: the target had closed a kept connection, or wrote into it what
// nobody asked for. Nothing was sent on it.
var errStale = errors.New("the target closed the connection, or wrote into it, while it was not used")

// A turn is a request and the beginning of its answer, on a connection. Where
// the system lets us, it is one call of the connection's RawConn: a look whether
// a kept connection is open and silent, the write, and a wait that begins
// without another read that could only say "try again". Go registers sockets for
// edges, and forgets the edges before when the call begins; so what arrives
// after the look is not missed.
type turn struct {
	step       func(fd uintptr) bool
	look       bool // first of all
	wait       bool // sent, and another may have the request back: see recall
	sent       bool // the whole request
	written    int  // bytes of it
	stale, cut bool // it stopped there
	err        error
}

// ask sends c.head, which is a whole request, and reads the first bytes of the
// answer into c.in. It returns how much of the request was sent. recallable says
// that the request may be taken back while it waits.
func (c *conn) ask(recallable bool) (sent int, err error) {
	t := &c.turn
	*t = turn{step: t.step, look: c.reused, wait: recallable}
	c.r, c.w = 0, 0
	if c.raw == nil {
		return c.askSlowly()
	}
	for {
		err := c.raw.Read(t.step)
		switch {
		case t.stale:
			return 0, errStale
		case err != nil || !t.cut:
			if err == nil {
				err = nonblock.OpError("read", c.Conn, t.err)
			}
			return t.written, err
		case t.err != nil:
			return t.written, nonblock.OpError("write", c.Conn, t.err)
		}
		if err := c.writeRest(); err != nil {
			return t.written, err
		}
	}
}

// stepFD does what can be done without waiting, and reports whether the turn is
// over.
func (c *conn) stepFD(fd uintptr) bool {
	t := &c.turn
	if !t.sent {
		if t.look && !nonblock.Silent(fd) {
			t.stale = true
			return true
		}
		t.written, t.err = nonblock.Write(fd, c.head)
		if t.cut = t.written < len(c.head); t.cut {
			return true
		}
		c.whole()
		return false
	}
	n, ok, err := nonblock.Read(fd, c.in[:])
	c.w, t.err = n, err
	return ok
}

// whole notes that the target has the whole request.
func (c *conn) whole() {
	c.turn.sent, c.turn.cut = true, false
	if c.turn.wait {
		c.state.Store(waiting)
	}
}

// writeRest sends what there was no room for.
func (c *conn) writeRest() error {
	t := &c.turn
	c.SetWriteDeadline(time.Now().Add(c.t.opt.Load().ResponseTimeout))
	n, err := c.Conn.Write(c.head[t.written:])
	t.written += n
	if err == nil {
		c.whole()
	}
	return err
}

// askSlowly is ask without a RawConn.
func (c *conn) askSlowly() (sent int, err error) {
	if err := c.writeRest(); err != nil {
		return c.turn.written, err
	}
	c.w, err = c.Conn.Read(c.in[:])
	return c.turn.written, err
}
