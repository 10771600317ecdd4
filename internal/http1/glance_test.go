package http1

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzGlance: what can be answered at a glance is a plain GET, and means what
// parse makes of it.
func FuzzGlance(f *testing.F) {
	for _, s := range []string{"Connection: keep-alive", "Content-Length: 0", "A: b\r\na: c", "Accept-Encoding:\tgzip \r\nIf-None-Match: \"a\"",
		"X_Y: z", "Te: trailers", "Host: b", strings.Repeat("A: b\r\n", glanced+1) + "A: c"} {
		for _, start := range []string{"GET /a?b", "GET /%41;=(?", "HEAD /", "GET //a", "GET /a#b", "GET http://a/"} {
			f.Add([]byte(start + " HTTP/1.1\r\nHost: a\r\n" + s + "\r\n\r\n"))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end := strings.Index(string(b), "\r\n\r\n")
		if end < 0 {
			return
		}
		b = b[:end+4]
		c := &conn{s: &Server{}, desk: &desk{head: newHead()}, remote: "127.0.0.1:1"}
		if !c.glance(b) {
			return
		}
		h := newHead()
		if !h.parse(b) {
			t.Fatalf("answered at a glance, and not plain: %q", b)
		}
		g, fields := &c.desk.glimpse, http.Header{}
		for name, value := range g.Fields() {
			fields[name] = append(fields[name], value)
		}
		if h.header["Pragma"] != nil && fields["Cache-Control"] == nil {
			delete(h.header, "Cache-Control") // which parse makes of Pragma
		}
		if d := cmp.Diff(h.header, fields); d != "" || h.method != "GET" || h.length != 0 || h.uri != g.Target || h.url != *g.URL || h.host != g.Host {
			t.Errorf("%q: parse has %s %s %s of %d bytes, the glance %s %s %v: %s", b, h.method, h.host, h.uri, h.length, g.Host, g.Target, g.URL, d)
		}
	})
}

// What Quick answers, what it declines and what it is not asked about come in
// their order on one connection, however the client sends them.
func TestQuick(t *testing.T) {
	large := strings.Repeat("x", uncopied+1)
	s := &Server{HTTP: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s slowly", r.Method, r.URL.Path)
	})}, Keep: func() bool { return true }}
	s.Quick = func() Answerer {
		return func(g *Glance, out []byte) (head, body []byte, ok bool) {
			switch g.URL.Path {
			case "/quick":
				return append(out, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"...), []byte("quick"), true
			case "/large":
				return fmt.Appendf(out, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(large)), []byte(large), true
			}
			return append(out, "nothing of this may be sent"...), nil, false
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-ended })
	requests := []string{"GET /quick", "GET /slow", "GET /large", "HEAD /quick", "POST /quick", "GET /quick", "GET /other", "GET /quick"}
	want := []string{"quick", "GET /slow slowly", large, "", "POST /quick slowly", "quick", "GET /other slowly", "quick"}
	for _, size := range []int{1, 7, 1 << 20} {
		c := dial(t, l.Addr().String())
		defer c.Close()
		var all strings.Builder
		for _, r := range requests {
			all.WriteString(r + " HTTP/1.1\r\nHost: a\r\n\r\n")
		}
		go func() {
			for text := all.String(); text != ""; text = text[min(size, len(text)):] {
				io.WriteString(c, text[:min(size, len(text))])
			}
		}()
		in := bufio.NewReader(c)
		for i, w := range want {
			method, _, _ := strings.Cut(requests[i], " ")
			r, err := http.ReadResponse(in, &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s by %d: %v", requests[i], size, err)
			}
			if got, err := io.ReadAll(r.Body); string(got) != w || err != nil {
				t.Errorf("%s by %d: %.40q, %v", requests[i], size, got, err)
			}
		}
	}
}
