package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The byte at | is the first that may not pass; where there is none, all may.
var scans = map[string]bool{ // whether a request can follow
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                                                                                                   true,
	"\r\n\r\nGET / HTTP/1.1\r\n\r\n":                                                                                                      true,
	"GET / HTTP/1.1|\nHost: a\r\n\r\n":                                                                                                    false,
	"GET / HTTP/1.1\r\nHost: a|\n\r\n":                                                                                                    false,
	"GET / HTTP/1.1\r\nHost: a\r\n|\n":                                                                                                    false,
	"GET / HTTP/1.1\r\nHost: a\r|x\r\n\r\n":                                                                                               false,
	"GET / HTTP/1.1\r|\r\n\r\n":                                                                                                           false,
	"GET / HTTP/1.1\r\nX: a\r\n| b\r\n\r\n":                                                                                               false,
	"GET / HTTP/1.1\r\nX: a\r\n|\tb\r\n\r\n":                                                                                              false,
	"GET / HTTP/1.1\r\n| X: a\r\n\r\n":                                                                                                    false,
	"\n\n\r\nGET / HTTP/1.1\r\n\r\n":                                                                                                      true,
	"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\n \n":                                                                                   true,
	"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc":                                                                true,
	"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n\n":                                                                 false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n":                                                           true,
	"POST / HTTP/1.1\r\ntransfer-encoding:\tChunked \r\n\r\n00a\r\n0123456789\r\n0\r\nX: y\r\n\r\n":                                       true,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r|\n":                                                         false,
	"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r|\n":                                                         false,
	"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r|\n":                                                                              false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n\n":                                                                                false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0 ; c=\"d;e\"\r\n\r\n":                                           true,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a|\nab\r\n":                                                                   false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r|a\r\nab\r\n":                                                              false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;|\x00\r\nab\r\n":                                                              false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2|\nab\r\n":                                                                     false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab|c":                                                                      false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab|\n":                                                                     false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n|\r\n":                                                                          false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n|-2\r\n":                                                                        false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0|x2\r\n":                                                                       false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y|\n\r\n":                                                               false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n| z\r\n":                                                           false,
	"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\nany\n":                                                                                   false,
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\n\n":                                                                                                false,
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 200) + "\r\na\r\n1;" + strings.Repeat("x", 54) + "|x": false,
}

func TestScan(t *testing.T) {
	for text, follows := range scans {
		good, rest, refused := strings.Cut(text, "|")
		for _, piece := range []int{1, 2, 7, 4096} {
			s, fed, err := newScan(), 0, error(nil)
			for p := []byte(good + rest); len(p) > 0 && err == nil; {
				var n int
				n, err = s.feed(p[:min(piece, len(p))])
				p, fed = p[n:], fed+n
			}
			if refused != (err != nil) || refused && fed != len(good) {
				t.Errorf("%q by %d: %d of %d pass, %v", text, piece, fed, len(good), err)
			}
			if begins := s.state == inHead && !s.fields && len(s.line) == 0; !refused && begins != follows {
				t.Errorf("%q: state %d", text, s.state)
			}
		}
	}
}

// Where the scan takes a request to end, net/http does.
func FuzzScan(f *testing.F) {
	for text := range scans {
		f.Add([]byte(strings.Replace(text, "|", "", 1) + "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		s := newScan()
		passes, _ := s.feed(p)
		slow, n := newScan(), 0
		for n < len(p) {
			m, err := slow.feed(p[n : n+1])
			if n += m; err != nil {
				break
			}
		}
		if n != passes {
			t.Fatalf("%d pass at once, %d one by one", passes, n)
		}
		in := bytes.NewReader(p[:passes])
		b := bufio.NewReader(in)
		for {
			r, failed := http.ReadRequest(b)
			if failed != nil {
				return
			}
			if _, failed := io.Copy(io.Discard, r.Body); failed != nil {
				return
			}
			at := passes - in.Len() - b.Buffered()
			s := newScan()
			if _, err := s.feed(p[:at]); err != nil {
				t.Fatalf("refused before %d", at)
			}
			if s.state == passing {
				return
			}
			if s.state != inHead || s.fields || len(s.line) > 0 {
				t.Fatalf("net/http has a request end at %d, the scan does not (%d)", at, s.state)
			}
		}
	})
}
