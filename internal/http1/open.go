package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

// A Prefixed connection begins with something that is not its client's, such as
// a PROXY header. Its addresses are known when that was read.
type Prefixed interface {
	net.Conn
	// Begin reads it, and returns what it read beyond it, at most 4 KiB. It bounds
	// its time itself, and leaves no deadline.
	Begin() (rest []byte, err error)
	// TCP is the connection as it is, from which is read after Begin.
	TCP() *net.TCPConn
}

const protocolHTTP2 = "h2"

// open reads what comes before the first request: what is prefixed, if it is not
// nil, and the handshake of TLS. Then it lets another goroutine serve the
// connection, for handshakes need a large stack.
func (c *conn) open(prefixed Prefixed) {
	c.setIdle(true) // Shutdown does not wait for it
	rest, err := c.begin(prefixed)
	if err == nil && c.s.TLS != nil {
		err = c.handshake(rest)
		rest = nil
	}
	switch {
	case !c.setIdle(false), err != nil:
		c.tcp.Close()
		c.s.ended(c)
	case c.secure != nil && c.secure.state.NegotiatedProtocol == protocolHTTP2:
		c.s.other.pass(c.secure.Conn)
		c.s.ended(c)
	default:
		go c.serve(rest) // ends with the connection, or when it passes to net/http
	}
}

func (c *conn) begin(prefixed Prefixed) ([]byte, error) {
	if prefixed == nil {
		return nil, nil
	}
	return prefixed.Begin()
}

// handshake makes TLS of the connection, of which rest was read.
func (c *conn) handshake(rest []byte) error {
	s := newSecure(c, rest)
	c.tcp.SetDeadline(time.Now().Add(timeout(c.s.HTTP.ReadHeaderTimeout, c.s.HTTP.ReadTimeout)))
	err := s.HandshakeContext(context.Background())
	if err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader) {
			io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n") //nolint:errcheck // it may have left
		}
		c.s.Log.Debug("a TLS handshake failed", "from", c.from.RemoteAddr().String(), "error", err)
		return err
	}
	c.tcp.SetDeadline(time.Time{})
	s.state = s.ConnectionState()
	c.setSecure(s)
	return nil
}

// setSecure is seen by closeIdle.
func (c *conn) setSecure(s *secure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secure = s
}

// looksLikeHTTP reports whether what should have been a record of TLS is the
// beginning of a request.
func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		return true
	}
	return false
}
