// Package memcachedtest starts servers for tests: ours on a port the kernel
// chose, and memcached itself beside it.
package memcachedtest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/cache/localcache"
	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/internal/need"
)

// Serve starts our server on loopback over a fresh engine, unless o brings one,
// and stops both when the test ends.
func Serve(t testing.TB, o memcachedserver.Options) (address string, s *memcachedserver.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), ServeOn(t, l, o)
}

// ServeOn is Serve on a listener.
func ServeOn(t testing.TB, l net.Listener, o memcachedserver.Options) *memcachedserver.Server {
	t.Helper()
	if o.Cache == nil {
		engine, err := localcache.New(localcache.Options{MaxValue: o.MaxValue})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { engine.Close() })
		o.Cache = engine
	}
	s, err := memcachedserver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// Memcached starts memcached on loopback, or skips the test where there is none.
func Memcached(t testing.TB, args ...string) (address string) {
	t.Helper()
	program := need.Tool(t, "memcached")
	portFile := filepath.Join(t.TempDir(), "port")
	args = append([]string{"-l", "127.0.0.1", "-p", "-1", "-U", "0"}, args...)
	if os.Getuid() == 0 {
		args = append(args, "-u", "root")
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "MEMCACHED_PORT_FILENAME="+portFile)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait() //nolint:errcheck // its end is what is asked for
	})
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		b, _ := os.ReadFile(portFile)
		if _, port, ok := strings.Cut(strings.TrimSpace(string(b)), "TCP INET: "); ok {
			return net.JoinHostPort("127.0.0.1", strings.Fields(port)[0])
		}
	}
	t.Fatalf("memcached did not say its port: %s", said.String())
	return ""
}
