package http1

import (
	"crypto/tls"
	"io"
	"net"
)

// A scanned connection goes to net/http through a scan.
type scanned struct {
	net.Conn
	scan   scan
	err    error
	spoils string // passed before err
}

// scanning puts the scan of a connection's requests before net/http.
func scanning(c net.Conn) net.Conn {
	s := scanned{Conn: c, scan: newScan()}
	if t, ok := c.(withTLS); ok {
		return &scannedTLS{s, t}
	}
	return &s
}

// Read implements net.Conn.
func (c *scanned) Read(p []byte) (int, error) {
	if len(c.spoils) > 0 {
		n := copy(p, c.spoils)
		c.spoils = c.spoils[n:]
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	passed, refused := c.scan.feed(p[:n])
	if refused == nil {
		return n, err
	}
	c.err, c.spoils = refused, c.scan.spoils()
	if passed == 0 {
		return c.Read(p)
	}
	return passed, nil
}

// ReadFrom has files be sent by the system, where the connection can.
func (c *scanned) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite is for net/http, whose refusal a client has to read before the
// connection ends.
func (c *scanned) CloseWrite() error {
	if h, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

type withTLS interface{ ConnectionState() tls.ConnectionState }

// scannedTLS is by its state known to net/http as TLS.
type scannedTLS struct {
	scanned
	withTLS
}

// Strict is a listener for an http.Server that has no Server of this package
// before it: it refuses what a Server does.
func Strict(l net.Listener) net.Listener { return strict{l} }

type strict struct{ net.Listener }

func (s strict) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return scanning(c), nil
}
