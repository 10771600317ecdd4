package sqlrecords_test

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// proxy passes on what goes over connections to a server's socket, and breaks
// the one that would carry the packet it was told.
type proxy struct {
	server string

	mu    sync.Mutex
	armed bool
	after int // packets that still pass
	cut   bool
}

// newProxy listens on a socket of the given name and returns its folder.
func newProxy(t *testing.T, server, name string) (p *proxy, folder string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "cut") // short, as the paths of sockets must be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	p = &proxy{server: server}
	l, err := net.Listen("unix", filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			conns.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	return p, folder
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		packet := make([]byte, 1<<20)
		for {
			n, err := from.Read(packet)
			if err != nil || p.breaks() {
				return
			}
			if _, err := to.Write(packet[:n]); err != nil {
				return
			}
		}
	}
	both.Go(func() { pass(server, client) })
	both.Go(func() { pass(client, server) })
	both.Wait()
}

func (p *proxy) breaks() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed {
		return false
	}
	if p.after > 0 {
		p.after--
		return false
	}
	p.armed, p.cut = false, true
	return true
}

// Cut is what drivertest.Store asks for.
func (p *proxy) Cut(n int) (restore func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.after, p.cut = true, n, false
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.armed = false
		return p.cut
	}
}
