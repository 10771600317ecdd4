package drivertest

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Wire passes on what goes over connections to a server, and breaks the one that
// would carry the packet it was told: Cut is what Store asks for.
type Wire struct {
	Addr string // where to connect instead: host and port, or a socket

	network, server string
	mu              sync.Mutex
	armed           bool
	after           int // packets that still pass
	cut             bool
}

// NewWire makes a wire to the server at an address of a network: "tcp", or
// "unix", where Addr has the name of the server's socket in another folder. It
// is taken down with the test.
func NewWire(t testing.TB, network, server string) *Wire {
	t.Helper()
	at := "127.0.0.1:0"
	if network == "unix" {
		folder, err := os.MkdirTemp("", "cut") // short, as the paths of sockets must be
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(folder) })
		at = filepath.Join(folder, filepath.Base(server))
	}
	l, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Addr: l.Addr().String(), network: network, server: server}
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			conns.Go(func() {
				w.serve(c)
				mu.Lock()
				defer mu.Unlock()
				delete(open, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open { // kept alive by clients
			c.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
	return w
}

func (w *Wire) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(w.network, w.server)
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
			if n > 0 {
				if w.breaks() {
					return
				}
				if _, err := to.Write(packet[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
	both.Go(func() { pass(server, client) })
	both.Go(func() { pass(client, server) })
	both.Wait()
}

func (w *Wire) breaks() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.armed {
		return false
	}
	if w.after > 0 {
		w.after--
		return false
	}
	w.armed, w.cut = false, true
	return true
}

// Cut is what Store.Cut says.
func (w *Wire) Cut(n int) (restore func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed, w.after, w.cut = true, n, false
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.armed = false
		return w.cut
	}
}
