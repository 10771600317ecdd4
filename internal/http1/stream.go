package http1

import (
	"crypto/tls"
	"net"

	"github.com/dayfly-dev/dayfly/internal/nonblock"
)

// read reads what the client sends.
func (c *conn) read(p []byte) (int, error) {
	if c.secure != nil {
		return c.secure.read(p)
	}
	return c.tcp.Read(p)
}

// reading is a conn as an io.Reader.
type reading struct{ c *conn }

func (r reading) Read(p []byte) (int, error) { return r.c.read(p) }

// write sends b.
func (c *conn) write(b []byte) error {
	if c.secure != nil {
		return c.secure.write(b)
	}
	c.out.First, c.out.Second = b, nil
	return c.flush()
}

// writeBoth sends one after the other.
func (c *conn) writeBoth(b *[2][]byte) error {
	if c.secure != nil {
		return c.secure.write(b[0], b[1])
	}
	c.out.First, c.out.Second = b[0], b[1]
	return c.flush()
}

// flush sends c.out.
func (c *conn) flush() error {
	err := c.raw.Write(c.emit)
	if err == nil && c.outErr != nil {
		err = nonblock.OpError("write", c.tcp, c.outErr)
	}
	c.out.First, c.out.Second = nil, nil
	return err
}

// emitFD sends as much of c.out as there is room for, and reports whether that
// is all that can be done.
func (c *conn) emitFD(fd uintptr) (done bool) {
	if c.sending != nil {
		done, c.outErr = c.sending.Write(fd)
	} else {
		done, c.outErr = c.out.Write(fd)
	}
	return done
}

// state is what net/http has in Request.TLS.
func (c *conn) state() *tls.ConnectionState {
	if c.secure == nil {
		return nil
	}
	return &c.secure.state
}

// close ends the connection.
func (c *conn) close() {
	if c.secure != nil {
		c.secure.Close()
		return
	}
	c.tcp.Close()
}

// beginning is the connection for net/http, with what was read of it.
func (c *conn) beginning(rest []byte) net.Conn {
	if c.secure != nil {
		return c.secure.beginning(rest)
	}
	return &begun{TCPConn: c.tcp, rest: rest, from: c.from}
}
