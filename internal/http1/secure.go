package http1

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
)

const (
	// Answers below it fit one record of TLS at any time, bytes: crypto/tls begins
	// with records of one packet.
	oneRecord = 1 << 10
	// So much of records is collected for one system call, bytes.
	gathered = 64 << 10
)

// secure is a connection's TLS. Its first byte of a request is read into ahead,
// so that one that waits holds no buffer.
type secure struct {
	*tls.Conn
	wire  *wire
	state tls.ConnectionState // as it was after the handshake
	ahead [1]byte
	has   bool // ahead was read
}

func newSecure(c *conn, rest []byte) *secure {
	w := &wire{Conn: &begun{TCPConn: c.tcp, rest: rest, from: c.from}}
	return &secure{Conn: tls.Server(w, c.s.TLS), wire: w}
}

// await waits for a request and reads its first record into c's desk.
func (s *secure) await(c *conn) error {
	if !s.has {
		if n, err := s.Conn.Read(s.ahead[:]); n == 0 {
			return err
		}
	}
	s.has = false
	c.sit()
	c.buf[0], c.n = s.ahead[0], 1
	s.wire.later = true // the rest of the record is there: no more is waited for
	n, _ := s.Conn.Read(c.buf[1:])
	s.wire.later = false
	c.n += n
	return nil
}

func (s *secure) read(p []byte) (int, error) {
	if s.has && len(p) > 0 {
		s.has, p[0] = false, s.ahead[0]
		return 1, nil
	}
	return s.Conn.Read(p)
}

// left waits until the client sends, leaves, or the deadline passed, and
// reports whether it left.
func (s *secure) left() bool {
	if s.has {
		return false
	}
	n, err := s.Conn.Read(s.ahead[:])
	s.has = n > 0
	return n == 0 && !errors.Is(err, os.ErrDeadlineExceeded)
}

// write sends all pieces, in one system call unless they are many.
func (s *secure) write(pieces ...[]byte) error {
	if len(pieces) == 1 && len(pieces[0]) <= oneRecord {
		_, err := s.Conn.Write(pieces[0])
		return err
	}
	s.wire.gather()
	for _, p := range pieces {
		if _, err := s.Conn.Write(p); err != nil {
			s.wire.send() //nolint:errcheck // the first error tells
			return err
		}
	}
	return s.wire.send()
}

func (s *secure) beginning(rest []byte) net.Conn {
	if s.has {
		rest, s.has = append(rest, s.ahead[0]), false
	}
	return &secureBegun{Conn: s.Conn, rest: rest}
}

// secureBegun is a connection with TLS of which something was read.
type secureBegun struct {
	*tls.Conn
	rest []byte
}

func (b *secureBegun) Read(p []byte) (int, error) {
	if len(b.rest) > 0 && len(p) > 0 {
		n := copy(p, b.rest)
		if b.rest = b.rest[n:]; len(b.rest) == 0 {
			b.rest = nil
		}
		return n, nil
	}
	return b.Conn.Read(p)
}

// wire is what TLS is spoken over. It can send records together, and read
// without waiting.
type wire struct {
	net.Conn
	later bool // nothing is read from the socket

	mu  sync.Mutex    // who reads may have to write, too
	out *bytesToWrite // nil: what is written is sent at once
}

type bytesToWrite struct{ b []byte }

var toWrite = sync.Pool{New: func() any { return &bytesToWrite{make([]byte, 0, gathered+20<<10)} }}

// errLater is one that crypto/tls does not take for the connection's end.
type errLater struct{}

func (errLater) Error() string   { return "nothing is read now" }
func (errLater) Timeout() bool   { return true }
func (errLater) Temporary() bool { return true }

func (w *wire) Read(p []byte) (int, error) {
	if w.later {
		return 0, errLater{}
	}
	return w.Conn.Read(p)
}

// gather has writes collected until send.
func (w *wire) gather() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = toWrite.Get().(*bytesToWrite)
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return w.Conn.Write(p)
	}
	w.out.b = append(w.out.b, p...)
	if len(w.out.b) < gathered {
		return len(p), nil
	}
	_, err := w.Conn.Write(w.out.b)
	w.out.b = w.out.b[:0]
	return len(p), err
}

// send sends what was collected.
func (w *wire) send() (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.out
	w.out = nil
	if len(out.b) > 0 {
		_, err = w.Conn.Write(out.b)
	}
	out.b = out.b[:0]
	toWrite.Put(out)
	return err
}
