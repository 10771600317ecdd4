package http1

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// netHTTP serves with net/http.
func netHTTP(t testing.TB, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	ended := make(chan error, 1)
	if overTLS {
		l = tls.NewListener(l, serverTLS(t))
	}
	go func() { ended <- s.Serve(Strict(l)) }()
	t.Cleanup(func() { s.Close(); <-ended })
	return l.Addr().String()
}

// answered is what a client sees of one exchange.
type answered struct {
	status  string
	header  http.Header // without Date
	dated   bool
	length  int64
	coding  []string
	body    string
	trailer http.Header
	err     error // of reading the body
	open    bool  // a second request on the connection was answered
}

func exchange(t *testing.T, address, request string) (a answered) {
	t.Helper()
	c := dial(t, address)
	defer c.Close()
	io.WriteString(c, request)
	in := bufio.NewReader(c)
	method, _, _ := strings.Cut(request, " ")
	asked := &http.Request{Method: method}
	r, err := http.ReadResponse(in, asked)
	for err == nil && r.StatusCode < 200 {
		a.status += r.Status + fmt.Sprint(r.Header, ", ")
		r, err = http.ReadResponse(in, asked)
	}
	if err != nil {
		a.err = err
		return a
	}
	body, err := io.ReadAll(r.Body)
	a.status += r.Status
	a.dated = r.Header.Get("Date") != ""
	r.Header.Del("Date")
	a.header, a.body, a.err, a.length, a.coding, a.trailer = r.Header, string(body), err, r.ContentLength, r.TransferEncoding, r.Trailer
	io.WriteString(c, request)
	_, err = http.ReadResponse(in, asked)
	a.open = err == nil
	return a
}

// A client sees no difference to net/http.
func TestAnswersLikeNetHTTP(t *testing.T) {
	requests := []string{
		"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
		"GET /p?q HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n",
		"HEAD /p HTTP/1.1\r\nHost: a\r\n\r\n",
		"DELETE /%70 HTTP/1.1\r\nHost: a\r\n\r\n",
	}
	for name, h := range map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"text":    func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") },
		"html":    func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html><p>")) },
		"encoded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.Write([]byte("x"))
		},
		"typed, no body": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "a/b") },
		"not found":      func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"no content":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"no content, length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(204)
		},
		"odd status": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) },
		"twice":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); w.WriteHeader(200) },
		"early hints": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.Header().Set("X", "y")
			w.WriteHeader(201)
		},
		"late header":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.Header().Set("X", "late") },
		"several values": func(w http.ResponseWriter, _ *http.Request) { w.Header()["X"] = []string{"1", "2"} },
		"split value":    func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", " a\r\nSet-Cookie: b\n ") },
		"bad name":       func(w http.ResponseWriter, _ *http.Request) { w.Header()["a b\r\n"] = []string{"c"} },
		"own date":       func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", "today") },
		"close":          func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") },
		"own length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Write([]byte("hello"))
		},
		"bad length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "five")
			w.Write([]byte("hello"))
		},
		"too short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			w.Write([]byte("hello"))
		},
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			w.Write([]byte("hello"))
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrContentLength) {
				panic(fmt.Sprintf("a sixth byte: %v", err))
			}
		},
		"body of 304": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(304)
			if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(fmt.Sprintf("a body: %v", err))
			}
		},
		"panic": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x"); panic(http.ErrAbortHandler) },
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
			}
		},
		"flushed first": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "x") },
		"large": func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				io.WriteString(w, strings.Repeat("large ", 1000))
			}
		},
		"large, one write": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("large ", 100_000)) },
		"large, of length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "600000")
			io.WriteString(w, strings.Repeat("large ", 100_000))
		},
		"request": func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			_, late := r.Body.Read(make([]byte, 1))
			r.Body.Close()
			fmt.Fprintf(w, "%s %v %v %v %s %s %d %v %v", b, err, late, r.URL, r.Host, r.Proto, r.ContentLength, r.Header, r.Close)
			if _, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || r.Context().Value(http.ServerContextKey) == nil {
				panic("the context knows neither address nor server")
			}
			if host, _, err := net.SplitHostPort(r.RemoteAddr); host != "127.0.0.1" || err != nil {
				panic("remote address " + r.RemoteAddr)
			}
		},
		"trailers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-A, content-length, x-B")
			io.WriteString(w, "hello")
			w.Header().Set("X-A", "1")
			w.Header()["X-B"] = []string{"2", "3"}
			w.Header().Set("X-C", "never announced")
		},
		"trailers of no body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-A")
			w.WriteHeader(201)
			w.Header().Set("X-A", "1")
		},
		"trailers late": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-A", "1")
			w.Header().Set(http.TrailerPrefix+"X-B", "2")
		},
		"trailers too late": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			io.WriteString(w, "hello")
			w.Header().Set(http.TrailerPrefix+"X-A", "1")
		},
		"type of 304": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(304)
		},
		"type that is not": func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil; io.WriteString(w, "x") },
		"no encoding": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "")
			io.WriteString(w, "x")
		},
		"large, sniffed, of length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "60000")
			w.Write([]byte(strings.Repeat("<html>", 10_000)))
		},
		"large, typed, of length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "a/b")
			w.Header().Set("Content-Length", "60006")
			w.Write([]byte(strings.Repeat("<html>", 10_000)))
			io.WriteString(w, "<html>")
		},
		"large chunks": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			for range 3 {
				w.Write([]byte(strings.Repeat("<html>", 10_000)))
				io.WriteString(w, "and more")
			}
		},
		"controller": func(w http.ResponseWriter, r *http.Request) {
			c := http.NewResponseController(w)
			for _, err := range []error{c.EnableFullDuplex(), c.SetReadDeadline(time.Now().Add(time.Minute)),
				c.SetWriteDeadline(time.Now().Add(time.Minute)), c.Flush(), c.SetWriteDeadline(time.Time{})} {
				if err != nil {
					panic(err)
				}
			}
			io.Copy(w, r.Body)
		},
		"late writer": func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second))
			io.WriteString(w, "x")
		},
		"late reader": func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour))
			io.Copy(w, r.Body)
		},
		"half the body": func(w http.ResponseWriter, r *http.Request) { io.CopyN(w, r.Body, 5) },
		"too large": func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 3))
			http.Error(w, err.Error(), 413)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, _ := serve(t, h)
			theirs := netHTTP(t, h)
			for _, request := range requests {
				if name == "bad length" && strings.HasPrefix(request, "HEAD") {
					continue // net/http forgets to answer
				}
				got, want := exchange(t, ours, request), exchange(t, theirs, request)
				switch name {
				case "large", "large, one write", "bad length": // chunks or length: both say where it ends
					got.coding, got.length, want.coding, want.length = nil, 0, nil, 0
					got.header.Del("Content-Length")
				case "too long": // net/http closes; what was sent is whole
					got.open = want.open
				}
				if got.status != want.status || got.body != want.body || got.length != want.length || got.dated != want.dated || got.open != want.open ||
					!slices.Equal(got.coding, want.coding) || !maps.EqualFunc(got.header, want.header, slices.Equal) ||
					!maps.EqualFunc(got.trailer, want.trailer, slices.Equal) || fmt.Sprint(got.err) != fmt.Sprint(want.err) {
					t.Errorf("%.6q\nhere:     %.1000s\nnet/http: %.1000s", request, fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
				}
			}
		})
	}
}

// What is not plain is answered by net/http, on the connection it came on and
// after what was answered here.
func TestPassedOn(t *testing.T) {
	address, s := serve(t, echo)
	const plain = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
	for name, request := range map[string]string{
		"trace":      "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
		"chunked":    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n",
		"1.0":        "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\ncd",
		"close":      "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\ncd",
		"large head": "POST / HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("a", 30<<10) + "\r\nContent-Length: 2\r\n\r\ncd",
		"malformed":  "POST / HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n",
		"no HTTP":    "\x16\x03\x01\r\n\r\n",
	} {
		c := dial(t, address)
		io.WriteString(c, plain+request)
		in := bufio.NewReader(c)
		for i, want := range []string{"ab", "cd"} {
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				if name == "no HTTP" && i == 1 {
					break
				}
				t.Fatal(name, i, err)
			}
			body, err := io.ReadAll(r.Body)
			switch {
			case i == 1 && (name == "malformed" || name == "no HTTP"):
				if r.StatusCode != 400 {
					t.Errorf("%s: %s", name, r.Status)
				}
			case i == 1 && name == "trace":
				want = ""
				fallthrough
			default:
				if string(body) != want || err != nil {
					t.Errorf("%s: got %q, %v, want %q", name, body, err, want)
				}
			}
		}
		awaitOpen(t, s, 0)
		c.Close()
	}
}

// What was read of a connection comes first, however it is read.
func TestBegun(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, read := range map[string]func(*begun) ([]byte, error){
		"Read": func(b *begun) ([]byte, error) { return io.ReadAll(struct{ io.Reader }{b}) },
		"Copy": func(b *begun) ([]byte, error) {
			var to strings.Builder
			_, err := io.Copy(&to, b)
			return []byte(to.String()), err
		},
	} {
		c := dial(t, l.Addr().String())
		theirs, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, " that follows")
		c.Close()
		got, err := read(&begun{TCPConn: theirs.(*net.TCPConn), rest: []byte("what was read and what"), from: theirs})
		if string(got) != "what was read and what that follows" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		theirs.Close()
	}
}
