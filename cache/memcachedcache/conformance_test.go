package memcachedcache_test

import (
	"context"
	"net"
	"testing"

	"github.com/dayfly-dev/dayfly/cache/driver"
	"github.com/dayfly-dev/dayfly/cache/drivertest"
	"github.com/dayfly-dev/dayfly/cache/memcachedcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/cache/memcachedtest"
)

func client(t testing.TB, address string, o *memcachedcache.Options) *memcachedcache.Client {
	t.Helper()
	c, err := memcachedcache.New(address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestConformanceTCP: our client, our server, our engine, over sockets.
func TestConformanceTCP(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Open: func(t *testing.T) driver.Cache {
			address, _ := memcachedtest.Serve(t, memcachedserver.Options{})
			return client(t, address, nil)
		},
		NoWaits:  true, // TestConformancePipe does not have to
		MaxValue: 1 << 20,
	})
}

// TestConformancePipe: the same over pipes, where time is exact.
func TestConformancePipe(t *testing.T) {
	drivertest.Run(t, drivertest.Harness{
		Open: func(t *testing.T) driver.Cache {
			l := newPipeListener()
			memcachedtest.ServeOn(t, l, memcachedserver.Options{})
			return client(t, "pipe", &memcachedcache.Options{Dial: l.dial})
		},
		Bubble:   true,
		MaxValue: 1 << 20,
	})
}

// TestConformanceMemcached: our client and memcached itself.
func TestConformanceMemcached(t *testing.T) {
	memcachedtest.Memcached(t) // skips all where there is none
	drivertest.Run(t, drivertest.Harness{
		Open: func(t *testing.T) driver.Cache {
			return client(t, memcachedtest.Memcached(t), nil)
		},
		MaxValue: 1<<20 - 512,
	})
}

// TestConformanceNoIdle connects anew for every operation.
func TestConformanceNoIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	drivertest.Run(t, drivertest.Harness{
		Open: func(t *testing.T) driver.Cache {
			l := newPipeListener()
			memcachedtest.ServeOn(t, l, memcachedserver.Options{})
			return client(t, "pipe", &memcachedcache.Options{Dial: l.dial, MaxIdle: -1, MaxConns: 2})
		},
		Bubble:   true,
		MaxValue: 1 << 20,
	})
}

// pipeListener is a listener whose connections live in this process.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (l *pipeListener) dial(ctx context.Context, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
