package cert_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dayfly-dev/dayfly/edge/cert"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// node is a process that ends TLS.
func node(t *testing.T, root *cert.Root, store *records.Store) (config *tls.Config, end func()) {
	t.Helper()
	config = cert.OpenLocal(root).Config()
	if store == nil {
		return config, func() {}
	}
	tickets, err := cert.OpenTickets(cert.TicketOptions{Records: store}, config)
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() { tickets.Close() })
	t.Cleanup(end)
	return config, end
}

// visit connects to a node and reports whether a session was resumed.
func visit(t *testing.T, server *tls.Config, sessions tls.ClientSessionCache, root *cert.Root) bool {
	t.Helper()
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() {
		c := tls.Server(theirs, server)
		_, err := io.WriteString(c, "x")
		ended <- err
		theirs.Close()
	}()
	roots := pool(root)
	c := tls.Client(ours, &tls.Config{RootCAs: roots, ServerName: "localhost", ClientSessionCache: sessions})
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	resumed := c.ConnectionState().DidResume
	ours.Close()
	return resumed
}

// TestTickets: a session goes on with another node and after a restart, for two
// days at least and no longer than three after its ticket; keys change each day.
func TestTickets(t *testing.T) {
	root, err := cert.OpenRoot(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(root.Cert.NotBefore.Add(2 * time.Hour))) // in a bubble it is the year 2000
		store := records.New(memrecords.New())
		first, endFirst := node(t, root, store)
		second, endSecond := node(t, root, store)
		alone, _ := node(t, root, nil)
		defer endSecond()
		sessions := tls.NewLRUClientSessionCache(1)
		for i, tt := range []struct {
			after time.Duration
			node  *tls.Config
			want  bool
		}{{0, first, false}, {0, first, true}, {0, second, true}, {0, alone, false}, {0, first, false}} {
			time.Sleep(tt.after)
			if got := visit(t, tt.node, sessions, root); got != tt.want {
				t.Errorf("visit %d: resumed %t", i, got)
			}
		}
		endFirst()
		restarted, endRestarted := node(t, root, store)
		if !visit(t, restarted, sessions, root) {
			t.Error("not resumed after a restart")
		}
		for day := range 10 { // each ticket is of the day before
			time.Sleep(23*time.Hour + time.Duration(day)*17*time.Minute)
			at := map[bool]*tls.Config{false: second, true: restarted}[day%2 == 0]
			if !visit(t, at, sessions, root) {
				t.Errorf("not resumed on day %d", day)
			}
		}
		for after, want := range map[time.Duration]bool{47 * time.Hour: true, 73 * time.Hour: false} {
			kept := tls.NewLRUClientSessionCache(1)
			visit(t, second, kept, root)
			time.Sleep(after)
			if got := visit(t, restarted, kept, root); got != want {
				t.Errorf("after %s: resumed %t", after, got)
			}
		}
		endRestarted()
	})
}

// TestTicketsBroken: a record that somebody broke is replaced.
func TestTicketsBroken(t *testing.T) {
	root, err := cert.OpenRoot(filepath.Join(t.TempDir(), "root"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", "[]", `[{"key":"AAAA","from":"2026-01-01T00:00:00Z"}]`, `[{"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","from":"2999-01-01T00:00:00Z"}]`} {
		store := records.New(memrecords.New())
		if _, err := store.Put(t.Context(), records.Record{Key: "certificate-tickets", Value: []byte(text)}); err != nil {
			t.Fatal(err)
		}
		first, _ := node(t, root, store)
		second, _ := node(t, root, store)
		sessions := tls.NewLRUClientSessionCache(1)
		if visit(t, first, sessions, root); !visit(t, second, sessions, root) {
			t.Errorf("%q: not resumed", text)
		}
	}
	if _, err := cert.OpenTickets(cert.TicketOptions{}, &tls.Config{}); err == nil {
		t.Error("no records are no error")
	}
}

func pool(root *cert.Root) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(root.Cert)
	return p
}
