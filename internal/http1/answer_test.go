package http1

import (
	"bufio"
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
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-ended })
	return l.Addr().String()
}

// answered is what a client sees of one exchange.
type answered struct {
	status string
	header http.Header // without Date
	dated  bool
	length int64
	coding []string
	body   string
	err    error // of reading the body
	open   bool  // a second request on the connection was answered
}

func exchange(t *testing.T, address, request string) (a answered) {
	t.Helper()
	c := dial(t, address)
	defer c.Close()
	io.WriteString(c, request)
	in := bufio.NewReader(c)
	r, err := http.ReadResponse(in, nil)
	for err == nil && r.StatusCode < 200 {
		a.status += r.Status + ", "
		r, err = http.ReadResponse(in, nil)
	}
	if err != nil {
		a.err = err
		return a
	}
	body, err := io.ReadAll(r.Body)
	a.status += r.Status
	a.dated = r.Header.Get("Date") != ""
	r.Header.Del("Date")
	a.header, a.body, a.err, a.length, a.coding = r.Header, string(body), err, r.ContentLength, r.TransferEncoding
	io.WriteString(c, request)
	_, err = http.ReadResponse(in, nil)
	a.open = err == nil
	return a
}

// A client sees no difference to net/http.
func TestAnswersLikeNetHTTP(t *testing.T) {
	const request = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
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
		"half the body": func(w http.ResponseWriter, r *http.Request) { io.CopyN(w, r.Body, 5) },
		"too large": func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 3))
			http.Error(w, err.Error(), 413)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, _ := serve(t, h)
			got, want := exchange(t, ours, request), exchange(t, netHTTP(t, h), request)
			switch name {
			case "large", "large, one write", "bad length": // chunks or length: both say where it ends
				got.coding, got.length, want.coding, want.length = nil, 0, nil, 0
				got.header.Del("Content-Length")
			case "too long": // net/http closes; what was sent is whole
				got.open = want.open
			}
			if got.status != want.status || got.body != want.body || got.length != want.length || got.dated != want.dated || got.open != want.open ||
				!slices.Equal(got.coding, want.coding) || !maps.EqualFunc(got.header, want.header, slices.Equal) || fmt.Sprint(got.err) != fmt.Sprint(want.err) {
				t.Errorf("here:     %.1000s\nnet/http: %.1000s", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want))
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
		"get":        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
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
			case i == 1 && name == "get":
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
		got, err := read(&begun{TCPConn: theirs.(*net.TCPConn), rest: []byte("what was read and what")})
		if string(got) != "what was read and what that follows" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		theirs.Close()
	}
}
