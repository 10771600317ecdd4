package memcachedserver

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/cache/driver"
)

const (
	firstBuffer = 2 << 10  // what a connection starts with
	ownBuffer   = 16 << 10 // what it may keep between commands, for each direction
	flushAt     = 64 << 10 // replies waiting beyond this are written before the next command
	directValue = 16 << 10 // values from here on are written from the engine's memory
)

var (
	errLineTooLong = errors.New("command line too long")
	errNoMemory    = errors.New("too many unfinished commands")
)

// conn is one connection and the goroutine that serves it. Commands are read
// into in and answered into out in order. out is written when the next command
// has not arrived whole, so that a batch of pipelined commands takes one read
// and one write, and a get allocates nothing.
type conn struct {
	s      *Server
	engine driver.Cache
	nc     net.Conn

	in      []byte // in[r:w] arrived and is not used up
	r, w    int
	scanned int // in[r:r+scanned] has no end of line
	out     []byte

	timed   bool      // the command that is being read has its deadline
	readBy  bool      // the connection has a deadline for reads, perhaps of a former command
	graced  bool      // the command was interrupted by Shutdown once
	writeBy time.Time // the deadline for writes

	key    [maxKey]byte
	fields [maxFields][]byte
	vec    [2][]byte

	read, written atomic.Uint64 // bytes
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{s: s, engine: s.o.Cache, nc: nc, in: make([]byte, firstBuffer)}
}

// serve answers commands until the client leaves, breaks the protocol's limits
// or the server shuts down.
func (c *conn) serve() {
	defer func() { c.s.input.Add(-c.extra()) }()
	for {
		line, err := c.line()
		switch {
		case errors.Is(err, errLineTooLong):
			c.out = append(c.out, "CLIENT_ERROR line too long\r\n"...)
			c.flush()
			return
		case errors.Is(err, errNoMemory):
			c.out = append(c.out, "SERVER_ERROR out of memory reading request\r\n"...)
			c.flush()
			return
		case err != nil:
			return
		}
		if err := c.command(line); err != nil {
			c.flush()
			return
		}
		if len(c.out) >= flushAt && c.flush() != nil {
			return
		}
	}
}

// line returns the next command line without its end ("\r\n" or "\n"). It is
// valid until the next read.
func (c *conn) line() ([]byte, error) {
	c.timed = false
	for {
		if i := bytes.IndexByte(c.in[c.r+c.scanned:c.w], '\n'); i >= 0 {
			end := c.r + c.scanned + i
			line := c.in[c.r:end]
			c.r, c.scanned = end+1, 0
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			if len(line) > c.s.o.MaxLine {
				return nil, errLineTooLong
			}
			return line, nil
		}
		c.scanned = c.w - c.r
		if c.scanned > c.s.o.MaxLine {
			return nil, errLineTooLong
		}
		if c.scanned == 0 {
			if err := c.rest(); err != nil {
				return nil, err
			}
		}
		if err := c.fill(c.scanned > 0); err != nil {
			return nil, err
		}
	}
}

// rest prepares the wait between two commands.
func (c *conn) rest() error {
	c.r, c.w = 0, 0
	if extra := c.extra(); extra > 0 {
		c.in = make([]byte, ownBuffer)
		c.s.input.Add(-extra)
	}
	if c.readBy {
		c.readBy = false
		if err := c.nc.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
	}
	// After the deadline was taken away: Shutdown sets closing first and a
	// deadline that is over then, so one of the two is seen.
	if c.s.closing.Load() {
		c.flush()
		return io.EOF
	}
	return nil
}

// need waits until n bytes have arrived, which are then c.in[c.r:c.r+n].
func (c *conn) need(n int) error {
	for c.w-c.r < n {
		if err := c.fill(true); err != nil {
			return err
		}
	}
	return nil
}

// skip throws the next n bytes away.
func (c *conn) skip(n int64) error {
	for {
		have := min(int64(c.w-c.r), n)
		c.r += int(have)
		if n -= have; n == 0 {
			return nil
		}
		c.r, c.w = 0, 0
		if err := c.fill(true); err != nil {
			return err
		}
	}
}

// fill reads once, after writing what the client may be waiting for. within
// says that a command has begun: then the rest of it has Timeout to arrive.
func (c *conn) fill(within bool) error {
	if err := c.flush(); err != nil {
		return err
	}
	if c.w == len(c.in) {
		if err := c.room(); err != nil {
			return err
		}
	}
	if within && !c.timed {
		if err := c.giveTime(); err != nil {
			return err
		}
	}
	for {
		n, err := c.nc.Read(c.in[c.w:])
		if n > 0 {
			c.w += n
			c.read.Add(uint64(n))
			return nil
		}
		if within && !c.graced && c.s.closing.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			c.graced = true // Shutdown woke us: this command may still end
			if err := c.giveTime(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
	}
}

func (c *conn) giveTime() error {
	c.timed, c.readBy = true, true
	return c.nc.SetReadDeadline(time.Now().Add(c.s.o.Timeout))
}

// room makes place behind c.w. The buffer grows with what has arrived, not with
// what was announced.
func (c *conn) room() error {
	if c.r > 0 {
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
		return nil
	}
	before := c.extra()
	size := 2 * len(c.in)
	after := max(0, int64(size-ownBuffer))
	if c.s.input.Add(after-before) > c.s.o.MaxInput {
		c.s.input.Add(before - after)
		return errNoMemory
	}
	in := make([]byte, size)
	copy(in, c.in[:c.w])
	c.in = in
	return nil
}

// extra is what the connection holds of the server's MaxInput.
func (c *conn) extra() int64 { return max(0, int64(len(c.in)-ownBuffer)) }

// flush writes the replies that wait.
func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.arm(); err != nil {
		return err
	}
	n, err := c.nc.Write(c.out)
	c.written.Add(uint64(n))
	c.drained()
	return err
}

// flushWith writes the replies that wait and v behind them, without a copy of v.
func (c *conn) flushWith(v []byte) error {
	if err := c.arm(); err != nil {
		return err
	}
	c.vec = [2][]byte{c.out, v}
	bufs := net.Buffers(c.vec[:])
	n, err := bufs.WriteTo(c.nc)
	c.vec = [2][]byte{}
	c.written.Add(uint64(n))
	c.drained()
	return err
}

func (c *conn) drained() {
	if cap(c.out) > ownBuffer {
		c.out = nil
	}
	c.out = c.out[:0]
}

// arm sees to it that a write ends within Timeout, and has at least half of
// it. Setting a deadline costs more than looking whether one is due.
func (c *conn) arm() error {
	now := time.Now()
	if c.writeBy.Sub(now) >= c.s.o.Timeout/2 {
		return nil
	}
	c.writeBy = now.Add(c.s.o.Timeout)
	return c.nc.SetWriteDeadline(c.writeBy)
}
