package http1

import (
	"net"
	"sync"
	"time"
)

// A client takes nothing of its answer: how long one write may wait.
const writeTimeout = 5 * time.Minute

// deadlines are those of a connection: ours, or while a request is handled the
// handler's, which http.ResponseController sets.
type deadlines struct {
	tcp *net.TCPConn

	mu              sync.Mutex
	readBy, writeBy time.Time // that are set; zero: none, or not known
	theirRead       bool      // the handler has set it
	theirWrite      bool
}

// timeout is the first that is set.
func timeout(all ...time.Duration) time.Duration {
	for _, d := range all {
		if d > 0 {
			return d
		}
	}
	return unbounded
}

func (l *deadlines) readWithin(now time.Time, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setRead(now.Add(d))
}

// readWithinAbout leaves a deadline that is nearly as wanted, which saves the
// call.
func (l *deadlines) readWithinAbout(now time.Time, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left := l.readBy.Sub(now); left > d || left < d-d/8 {
		l.setRead(now.Add(d))
	}
}

// readBody sets the deadline for reading a body, unless the handler did.
func (l *deadlines) readBody(now time.Time, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.theirRead && l.readBy.Sub(now) < unbounded/2 {
		l.setRead(now.Add(d))
	}
}

func (l *deadlines) setRead(t time.Time) {
	l.readBy = t
	l.tcp.SetReadDeadline(t)
}

// write sets the deadline for a write, unless the handler did.
func (l *deadlines) write(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.theirWrite && l.writeBy.Sub(now) < writeTimeout/2 {
		l.writeBy = now.Add(writeTimeout)
		l.tcp.SetWriteDeadline(l.writeBy)
	}
}

// expire ends a read under way.
func (l *deadlines) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setRead(time.Unix(1, 0))
}

// handlerRead and handlerWrite set what a handler wants; zero is none.
func (l *deadlines) handlerRead(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.theirRead = true
	return l.tcp.SetReadDeadline(t)
}

func (l *deadlines) handlerWrite(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.theirWrite = true
	return l.tcp.SetWriteDeadline(t)
}

// takeBack ends what a handler set.
func (l *deadlines) takeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.theirRead {
		l.theirRead, l.readBy = false, time.Time{}
	}
	if l.theirWrite {
		l.theirWrite, l.writeBy = false, time.Time{}
	}
}
