package smtpserver

import (
	"net"
	"sync"
)

// listener bounds the connections that are open at once, and knows when all of
// them are closed.
type listener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
	open   sync.WaitGroup
}

func newListener(l net.Listener, n int) *listener {
	return &listener{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits until there is room for a connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	l.open.Add(1)
	return &conn{Conn: c, release: sync.OnceFunc(func() { <-l.slots; l.open.Done() })}, nil
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *listener) wait() { l.open.Wait() }

type conn struct {
	net.Conn
	release func()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
