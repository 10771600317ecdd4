package memcachedserver_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// wire is a connection of a test.
type wire struct {
	testing.TB
	nc net.Conn
}

func dial(t testing.TB, address string) *wire {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &wire{t, nc}
}

func (w *wire) send(s string) {
	w.Helper()
	w.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(w.nc, s); err != nil {
		w.Fatalf("write: %v", err)
	}
}

// reads fails unless the next bytes are want.
func (w *wire) reads(want string) {
	w.Helper()
	w.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, len(want))
	n, err := io.ReadFull(w.nc, b)
	if err != nil || string(b) != want {
		w.Fatalf("read %q (%v), want %q", b[:n], err, want)
	}
}

// ends fails unless the server closes without another byte.
func (w *wire) ends() {
	w.Helper()
	w.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(w.nc)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.Fatalf("still open, after %q", b)
	}
	if len(b) > 0 {
		w.Fatalf("read %q, want the end", b)
	}
}

// exchange sends a script and returns everything that is answered up to a mark
// that the script cannot produce.
func (w *wire) exchange(script string) string {
	w.Helper()
	const mark = "incr end-of-this-script x\r\n"
	const answer = "CLIENT_ERROR invalid numeric delta argument\r\n"
	w.send(script + mark)
	w.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	var got strings.Builder
	b := make([]byte, 64<<10)
	for !strings.HasSuffix(got.String(), answer) {
		n, err := w.nc.Read(b)
		got.Write(b[:n])
		if err != nil {
			return got.String() + "<" + err.Error() + ">"
		}
	}
	return strings.TrimSuffix(got.String(), answer)
}
