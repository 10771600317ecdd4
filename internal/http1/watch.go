package http1

import (
	"context"
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
type watch struct {
	timer *time.Timer

	mu      sync.Mutex
	cancel  context.CancelFunc // of the request under way; nil: none
	looking chan struct{}      // closed when the goroutine of look ends; nil: there is none
}

func (w *watch) init(c *conn) {
	w.timer = time.AfterFunc(time.Hour, func() { w.look(c) })
	w.timer.Stop()
}

// start begins to watch in a while.
func (w *watch) start(cancel context.CancelFunc) {
	w.mu.Lock()
	w.cancel = cancel
	w.mu.Unlock()
	w.timer.Reset(watchAfter)
}

// stop ends the watch, and returns when nothing touches the socket any more.
func (w *watch) stop(c *conn) {
	w.timer.Stop()
	w.mu.Lock()
	w.cancel = nil
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

// look waits until the client leaves, sends, or stop is called.
func (w *watch) look(c *conn) {
	w.mu.Lock()
	if w.cancel == nil || w.looking != nil {
		w.mu.Unlock()
		return
	}
	cancel, looking := w.cancel, make(chan struct{})
	w.looking = looking
	c.tcp.SetReadDeadline(time.Time{})
	w.mu.Unlock()

	if c.left() {
		cancel()
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
