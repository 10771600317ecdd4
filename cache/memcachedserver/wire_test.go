package memcachedserver_test

import (
	"errors"
	"io"
	"net"
	"os"
	"regexp"
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
	w.nc.SetWriteDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(w.nc, s); err != nil {
		w.Fatalf("write: %v", err)
	}
}

// reads fails unless the next bytes are want.
func (w *wire) reads(want string) {
	w.Helper()
	w.nc.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, len(want))
	n, err := io.ReadFull(w.nc, b)
	if err != nil || string(b) != want {
		w.Fatalf("read %q (%v), want %q", b[:n], err, want)
	}
}

// ends fails unless the server closes without another byte.
func (w *wire) ends() {
	w.Helper()
	w.nc.SetReadDeadline(time.Now().Add(time.Minute))
	b, err := io.ReadAll(w.nc)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.Fatalf("still open, after %q", b)
	}
	if len(b) > 0 {
		w.Fatalf("read %q, want the end", b)
	}
}

// exchange sends a script, which has no version command, and returns
// everything that is answered before the answer to one.
func (w *wire) exchange(script string) string {
	w.Helper()
	w.send(script + "version\r\n")
	w.nc.SetReadDeadline(time.Now().Add(time.Minute))
	var got []byte
	b := make([]byte, 64<<10)
	for {
		n, err := w.nc.Read(b)
		got = append(got, b[:n]...)
		if at := versionLine.FindIndex(got[max(0, len(got)-100):]); at != nil {
			return string(got[:len(got)-(at[1]-at[0])])
		}
		if err != nil {
			return string(got) + "<" + err.Error() + ">"
		}
	}
}

var versionLine = regexp.MustCompile(`VERSION \d+\.\d+\.\d+\S*\r\n$`)
