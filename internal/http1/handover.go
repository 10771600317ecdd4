package http1

import (
	"io"
	"net"
	"net/http"
	"sync"
)

// handover is how connections pass to net/http: as a listener that hands them
// out.
type handover struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), done: make(chan struct{})}
}

// pass gives a connection to net/http, or closes it when that has stopped.
func (h *handover) pass(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.done:
		c.Close()
	}
}

// at is the listener, which says that it listens at a.
func (h *handover) at(a net.Addr) net.Listener { return passed{h, a} }

type passed struct {
	*handover
	addr net.Addr
}

func (p passed) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, http.ErrServerClosed
	}
}

func (p passed) Addr() net.Addr { return p.addr }

func (p passed) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// begun is a connection of which something was read.
type begun struct {
	*net.TCPConn // its ReadFrom is how net/http sends files
	rest         []byte
	from         net.Conn // whose addresses it has
}

func (b *begun) RemoteAddr() net.Addr { return b.from.RemoteAddr() }
func (b *begun) LocalAddr() net.Addr  { return b.from.LocalAddr() }

func (b *begun) Read(p []byte) (int, error) {
	if len(b.rest) > 0 && len(p) > 0 {
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		if len(b.rest) == 0 {
			b.rest = nil
		}
		return n, nil
	}
	return b.TCPConn.Read(p)
}

// WriteTo keeps what was read from being left out by io.Copy.
func (b *begun) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b.rest)
	b.rest = b.rest[n:]
	if err != nil {
		return int64(n), err
	}
	m, err := io.Copy(w, b.TCPConn)
	return int64(n) + m, err
}
