package memcachedserver_test

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/cache/memcachedtest"
	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestPymemcache runs a client nobody here wrote against two named caches.
func TestPymemcache(t *testing.T) {
	python := need.Python(t, "pymemcache")
	first, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	second, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	run(t, python, filepath.Join(need.Root(t), "test", "clients", "cache_pymemcache.py"), first, second)
}

// TestPymemcacheOnMemcached runs the same script against memcached, which
// shows that the script expects what memcached does.
func TestPymemcacheOnMemcached(t *testing.T) {
	python := need.Python(t, "pymemcache")
	run(t, python, filepath.Join(need.Root(t), "test", "clients", "cache_pymemcache.py"), memcachedtest.Memcached(t), memcachedtest.Memcached(t))
}

// TestMemccapable runs libmemcached's own test of a server's text protocol.
func TestMemccapable(t *testing.T) {
	tool := need.Tool(t, "memccapable")
	address, _ := memcachedtest.Serve(t, memcachedserver.Options{})
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, tool, "-a", "-h", host, "-p", port).CombinedOutput()
	if err != nil || strings.Contains(string(out), "FAIL") || !strings.Contains(string(out), "All tests passed") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%v\n%s", err, out)
	}
}
