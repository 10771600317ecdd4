package edge

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/edge/proxyproto"
)

// proxyHeaderTimeout bounds the time until a PROXY header has come. A proxy
// writes it at once.
const proxyHeaderTimeout = 5 * time.Second

// ProxyProtocol returns l with connections that begin with a PROXY header,
// version 1 or 2 (haproxy.org, proxy-protocol.txt), as balancers send it that pass
// bytes on. From a peer that is trusted the header is required: a connection
// without one is closed, and one with it has the client's address. From all others
// it is no header but the beginning of a request, which is malformed then. Wrap a
// listener in it before TLS, for the header comes first.
func (e *Edge) ProxyProtocol(l net.Listener) net.Listener {
	return &proxyListener{l, e, proxyHeaderTimeout}
}

type proxyListener struct {
	net.Listener
	e      *Edge
	within time.Duration // until the header has come
}

// Accept implements net.Listener. The header is read later, by who serves the
// connection.
func (l *proxyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil
	}
	peer, ok := tcp.RemoteAddr().(*net.TCPAddr)
	if !ok || !l.e.trusted.Load().Contains(peer.AddrPort().Addr()) {
		return c, nil
	}
	return &proxied{TCPConn: tcp, e: l.e, within: l.within}, nil
}

// proxied is a connection from a trusted proxy. internal/http1 knows it as one
// that is Prefixed; for other servers it is a net.Conn, whose first Read or
// address waits for the header.
type proxied struct {
	*net.TCPConn
	e      *Edge
	within time.Duration

	once         sync.Once
	header       proxyproto.Header
	rest         []byte // read beyond the header
	err          error
	remote, dest net.Addr // nil: the socket's own
}

var proxyBuffers = sync.Pool{New: func() any { return new([proxyproto.MaxLen]byte) }}

// Begin reads the header.
func (p *proxied) Begin() (rest []byte, err error) {
	p.once.Do(p.begin)
	return p.rest, p.err
}

// TCP is the connection as it is.
func (p *proxied) TCP() *net.TCPConn { return p.TCPConn }

func (p *proxied) begin() {
	buf := proxyBuffers.Get().(*[proxyproto.MaxLen]byte)
	defer proxyBuffers.Put(buf)
	p.SetReadDeadline(time.Now().Add(p.within))
	read, n := 0, 0
	for p.err = proxyproto.ErrMore; errors.Is(p.err, proxyproto.ErrMore); {
		m, err := p.TCPConn.Read(buf[read:])
		if err != nil {
			p.refuse(read, err)
			return
		}
		read += m
		p.header, n, p.err = proxyproto.Parse(buf[:read])
	}
	if p.err != nil {
		p.refuse(read, p.err)
		return
	}
	p.SetReadDeadline(time.Time{})
	p.rest = append([]byte(nil), buf[n:read]...)
	if !p.header.Own {
		p.remote, p.dest = net.TCPAddrFromAddrPort(p.header.Source), net.TCPAddrFromAddrPort(p.header.Destination)
	}
}

// refuse ends a connection without a header, and says so: it is a mistake in the
// proxy, or in our options. One that sent nothing was only tried, as balancers do.
func (p *proxied) refuse(read int, err error) {
	p.err = err
	p.TCPConn.Close()
	if read > 0 {
		p.e.prefixes.warn(p.e, "a connection from a trusted network did not begin with a PROXY header and was closed: have the proxy send one, or do without proxy_protocol",
			p.TCPConn.RemoteAddr().String(), "error", err)
	}
}

// Read implements net.Conn.
func (p *proxied) Read(b []byte) (int, error) {
	if _, err := p.Begin(); err != nil {
		return 0, err
	}
	if len(p.rest) > 0 {
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
	return p.TCPConn.Read(b)
}

// WriteTo keeps what was read from being left out by io.Copy.
func (p *proxied) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{p}) }

// RemoteAddr is the client's.
func (p *proxied) RemoteAddr() net.Addr {
	if p.Begin(); p.remote != nil { //nolint:errcheck // Read returns it
		return p.remote
	}
	return p.TCPConn.RemoteAddr()
}

// LocalAddr is where the client connected to.
func (p *proxied) LocalAddr() net.Addr {
	if p.Begin(); p.dest != nil { //nolint:errcheck // Read returns it
		return p.dest
	}
	return p.TCPConn.LocalAddr()
}
