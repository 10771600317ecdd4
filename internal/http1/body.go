package http1

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// body is the body of a request: first what came with the head.
type body struct {
	over atomic.Bool // the handler has returned
	mu   sync.Mutex  // it may leave a reader behind
	c    *conn
	left int64
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over.Load():
		return 0, http.ErrBodyReadAfterClose
	case b.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := b.read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	c := b.c
	if c.r < c.w {
		n := copy(p, c.buf[c.r:c.w])
		c.r += n
		return n, nil
	}
	c.limits.readBody(time.Now(), timeout(c.s.HTTP.ReadTimeout))
	if b.over.Load() { // asked after the deadline: end sets them the other way round
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := c.read(p)
	if int64(n) == b.left {
		c.watch.start() // not before: only one can read
	}
	return n, err
}

// Close leaves the rest to be discarded after the handler.
func (b *body) Close() error { return nil }

// end bars readers that the handler left behind, and returns how much was not
// read.
func (b *body) end() int64 {
	b.over.Store(true)
	if !b.mu.TryLock() { // one reads
		b.c.limits.expire()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	return b.left
}
