package memcachedserver_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/cache/memcachedserver"
	"github.com/dayfly-dev/dayfly/cache/memcachedtest"
)

// FuzzServer sends any bytes and looks that the server answers in whole lines
// it knows, ends when the client does, answers the same however the bytes are
// cut, and serves the next client.
func FuzzServer(f *testing.F) {
	for _, tc := range exchanges {
		if len(tc.send) < 4096 {
			f.Add([]byte(tc.send))
		}
	}
	f.Add([]byte("set a 0 0 9999999999999999999999\r\n"))
	f.Add([]byte("cas a 4294967295 -1 1 18446744073709551615\r\nx\r\n"))
	f.Add([]byte("get a\x00b\r\nset \xff 0 0 1\r\nx\r\n"))
	f.Add([]byte("gat 9223372036854775807 a\r\ntouch a -9223372036854775808\r\n"))
	f.Add([]byte("set a 0 0 3000\r\n" + strings.Repeat("y", 3000) + "\r\ngets a a a\r\n"))
	address, _ := memcachedtest.Serve(f, memcachedserver.Options{})
	f.Fuzz(func(t *testing.T, script []byte) {
		if bytes.Contains(script, []byte("stats")) || bytes.Contains(script, []byte("flush_all ")) {
			t.Skip("answers with times, or works later")
		}
		whole := converse(t, address, script, len(script))
		pieces := converse(t, address, script, 7)
		if !bytes.Equal(token.ReplaceAll(whole, []byte("$1 #\r\n")), token.ReplaceAll(pieces, []byte("$1 #\r\n"))) {
			t.Errorf("%q:\n at once   %q\n in pieces %q", script, whole, pieces)
		}
		if len(whole) > 0 && !bytes.HasSuffix(whole, []byte("\r\n")) {
			t.Errorf("%q: the answer %q has no end", script, whole)
		}
	})
}

// converse sends a script to an empty store, ends its side, and returns all answers.
func converse(t *testing.T, address string, script []byte, step int) []byte {
	t.Helper()
	w := dial(t, address)
	defer w.nc.Close()
	w.send("flush_all\r\n")
	w.reads("OK\r\n")
	go func() {
		for s := script; len(s) > 0; {
			n := min(step, len(s))
			if _, err := w.nc.Write(s[:n]); err != nil {
				return
			}
			s = s[n:]
		}
		w.nc.(*net.TCPConn).CloseWrite()
	}()
	w.nc.SetReadDeadline(time.Now().Add(time.Minute))
	got, err := io.ReadAll(w.nc)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatalf("%q: no end after %q", script, got)
	}
	return got
}
