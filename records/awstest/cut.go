package awstest

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// Wire passes on what goes over connections to a server, and breaks the one that
// would carry the packet it was told.
type Wire struct {
	URL string // where to connect instead

	server string
	mu     sync.Mutex
	armed  bool
	after  int // packets that still pass
	cut    bool
}

// NewWire makes a wire to the server at an http address. It is taken down with
// the test.
func NewWire(t testing.TB, server string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{server: strings.TrimPrefix(server, "http://"), URL: "http://" + l.Addr().String()}
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
	server, err := net.Dial("tcp", w.server)
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

// Cut is what drivertest.Store asks for.
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
