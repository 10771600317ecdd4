package http1

import (
	"errors"
	"sync"
	"syscall"
	"time"
)

// watchAfter is how long a request may take before its client is watched. Only
// what waits takes longer, as a long poll does.
const watchAfter = 50 * time.Millisecond

// watch ends the context of a request whose client leaves. It waits for the
// socket to become readable and looks, without reading: what a client sends
// ahead of its turn stays there, and ends the watch. Of TLS, whose end is a record
// like any other, it reads one byte.
//
// The timer is not set and stopped for each request, of which there may be many
// while it runs: where it finds a later one than it was set for, it is set again.
type watch struct {
	timer *time.Timer

	mu      sync.Mutex
	armed   bool            // the timer runs
	ctx     *requestContext // of the request under way; nil: none
	since   time.Time       // when it was there whole; zero: it is not
	looking chan struct{}   // closed when the goroutine of look ends; nil: there is none
}

func (w *watch) init(c *conn) {
	w.timer = time.AfterFunc(time.Hour, func() { w.look(c) })
	w.timer.Stop()
}

// begin says which request is under way.
func (w *watch) begin(ctx *requestContext) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx, w.since = ctx, time.Time{}
}

// start begins to watch in a while: the request was read whole.
func (w *watch) start() {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since = now
	if !w.armed {
		w.armed = true
		w.timer.Reset(watchAfter)
	}
}

// stop ends the watch, and returns when nothing touches the socket any more.
func (w *watch) stop(c *conn) {
	w.mu.Lock()
	w.ctx = nil
	looking := w.looking
	if looking != nil {
		c.tcp.SetReadDeadline(time.Unix(1, 0)) // ends the wait
	}
	w.mu.Unlock()
	if looking != nil {
		<-looking
		c.limits.expire() // is known again
	}
}

// end ends the context of the request under way.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx != nil {
		w.ctx.cancel()
	}
}

// look is the timer's: it waits until the client leaves, sends, or stop is called.
func (w *watch) look(c *conn) {
	w.mu.Lock()
	w.armed = false
	if w.ctx == nil || w.since.IsZero() || w.looking != nil {
		w.mu.Unlock()
		return
	}
	if early := watchAfter - time.Since(w.since); early > 0 {
		w.armed = true
		w.timer.Reset(early)
		w.mu.Unlock()
		return
	}
	ctx, looking := w.ctx, make(chan struct{})
	w.looking = looking
	c.tcp.SetReadDeadline(time.Time{})
	w.mu.Unlock()

	if c.left() {
		ctx.cancel()
	}
	w.mu.Lock()
	w.looking = nil
	w.mu.Unlock()
	close(looking)
}

// left waits until the socket is readable or its deadline passed, and reports
// whether it is at its end.
func (c *conn) left() (gone bool) {
	if c.secure != nil {
		return c.secure.left()
	}
	c.raw.Read(func(fd uintptr) bool { //nolint:errcheck // the deadline of stop
		var b [1]byte
		for {
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				return false
			}
			gone = err != nil || n == 0
			return true
		}
	})
	return gone
}
