package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain also is the child process of the rolling restart, and looks for
// goroutines that outlive the tests.
func TestMain(m *testing.M) {
	if os.Getenv("EDGE_TEST_CHILD") != "" {
		childMain()
		return
	}
	code := m.Run()
	if code == 0 {
		if left := leftGoroutines(); left != "" {
			fmt.Fprintf(os.Stderr, "goroutines left after the tests:\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// leftGoroutines returns the stacks of this package that still run, after
// giving those that are ending time to.
func leftGoroutines() string {
	http.DefaultClient.CloseIdleConnections()
	var left string
	for range 6000 { // two minutes
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = ""
		for _, g := range strings.Split(string(buf), "\n\n")[1:] {
			if strings.Contains(g, "dayfly/edge.(") {
				left += g + "\n\n"
			}
		}
		if left == "" {
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	return left
}

// A site is an edge behind an http.Server.
type site struct {
	*Edge
	url    string
	addr   string
	client *http.Client
}

// newSite starts an edge with fast checks and no targets.
func newSite(t testing.TB, o Options) *site {
	t.Helper()
	if o.HealthInterval == 0 {
		o.HealthInterval = 20 * time.Millisecond
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewFront(Server(e), nil)
	go srv.Serve(l)
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			srv.Close()
		}
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return &site{Edge: e, url: "http://" + l.Addr().String(), addr: l.Addr().String(), client: &http.Client{Transport: tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// add starts an application and puts it into the balance.
func (s *site) add(t testing.TB, name string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	app := httptest.NewServer(h)
	t.Cleanup(app.Close)
	s.addURL(t, name, app.URL)
	return app
}

func (s *site) addURL(t testing.TB, name, url string) {
	t.Helper()
	if err := s.Add(Target{Name: name, URL: url}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Await(ctx, name); err != nil {
		t.Fatal(err)
	}
}

// get returns an answer with its body read.
func (s *site) get(t testing.TB, path string, header ...string) (*http.Response, string) {
	t.Helper()
	return s.do(t, "GET", path, nil, header...)
}

func (s *site) do(t testing.TB, method, path string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		} else {
			req.Header.Add(header[i], header[i+1])
		}
	}
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}

// raw sends bytes and returns the connection to read answers from.
func (s *site) raw(t testing.TB, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// patience is for what has to come, on a machine that has much else to do.
const patience = 2 * time.Minute

// eventually waits until a condition holds that something else brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *site) target(t testing.TB, name string) TargetStats {
	t.Helper()
	for _, ts := range s.Stats().Targets {
		if ts.Name == name {
			return ts
		}
	}
	t.Fatalf("no target %s", name)
	return TargetStats{}
}

// A rawApp accepts connections and lets a test speak for the application.
// Connections on which nothing arrives, such as health checks, pass.
type rawApp struct {
	l     net.Listener
	conns chan net.Conn
}

func newRawApp(t testing.TB) *rawApp {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &rawApp{l: l, conns: make(chan net.Conn, 1000)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(a.conns)
				return
			}
			a.conns <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		for c := range a.conns {
			c.Close()
		}
	})
	return a
}

func (a *rawApp) url() string { return "http://" + a.l.Addr().String() }

// request returns the next connection that carries a request, with the request.
func (a *rawApp) request(t testing.TB) (net.Conn, *bufio.Reader, *http.Request) {
	t.Helper()
	for {
		select {
		case c := <-a.conns:
			c.SetDeadline(time.Now().Add(patience))
			br := bufio.NewReader(c)
			req, err := http.ReadRequest(br)
			if err != nil {
				c.Close()
				continue
			}
			if req.ContentLength > 0 {
				io.CopyN(io.Discard, req.Body, req.ContentLength)
			}
			t.Cleanup(func() { c.Close() })
			return c, br, req
		case <-time.After(patience):
			t.Fatal("no request came")
		}
	}
}

const ok2 = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
