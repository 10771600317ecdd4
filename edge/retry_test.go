package edge

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A connection that ends without an answer after a request: what is tried again
// and what is not.
func TestRetryAfterUnansweredRequest(t *testing.T) {
	for _, tc := range []struct {
		name   string
		method string
		body   int
		header []string
		reused bool // on a connection that had served
		again  bool
	}{
		{"GET, reused", "GET", 0, nil, true, true},
		{"PUT, reused, body at hand", "PUT", 100, nil, true, true},
		{"PUT, reused, body in a file", "PUT", bufferedBody + 1, nil, true, true},
		{"PUT, reused, body gone", "PUT", 4 * bufferedBody, nil, true, false},
		{"DELETE, reused", "DELETE", 0, nil, true, true},
		{"POST, reused", "POST", 100, nil, true, false},
		{"POST without body, reused", "POST", 0, nil, true, false},
		{"PATCH, reused", "PATCH", 100, nil, true, false},
		{"POST with key, reused", "POST", 100, []string{"Idempotency-Key", "k"}, true, true},
		{"GET, new", "GET", 0, nil, false, true},
		{"POST, new", "POST", 100, nil, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, Options{ResponseTimeout: patience, Bodies: Bodies{Request: 2 * bufferedBody}})
			app := newRawApp(t)
			s.addURL(t, "web.1", app.url())
			seen := make(chan string, 10)
			go func() {
				c, br, req := app.request(t)
				if tc.reused { // the first request is answered, the second is not
					io.WriteString(c, ok2)
					var err error
					if req, err = http.ReadRequest(br); err != nil {
						t.Error(err)
						return
					}
					io.CopyN(io.Discard, req.Body, req.ContentLength)
				}
				seen <- req.Method
				c.Close()
				if tc.again {
					c, br, req := app.request(t)
					seen <- req.Method
					io.WriteString(c, ok2)
					io.Copy(io.Discard, br)
				}
			}()
			if tc.reused {
				s.get(t, "/first")
			}
			var body io.Reader
			if tc.body > 0 {
				body = bytes.NewReader(make([]byte, tc.body))
			}
			res, text := s.do(t, tc.method, "/", body, tc.header...)
			if tc.again && (res.StatusCode != 200 || len(seen) != 2) || !tc.again && (res.StatusCode != 502 || len(seen) != 1) {
				t.Errorf("answered %d, delivered %d times", res.StatusCode, len(seen))
			}
			if !tc.again && !strings.Contains(text, "may have been processed") {
				t.Errorf("the client is told %q", text)
			}
		})
	}
}

// A request that kills whom it reaches is not given to all.
func TestDeadlyRequestIsContained(t *testing.T) {
	s := newSite(t, Options{HealthInterval: time.Hour})
	var kills atomic.Int32
	for i := range 4 {
		s.add(t, fmt.Sprintf("web.%d", i), func(http.ResponseWriter, *http.Request) {
			kills.Add(1)
			panic(http.ErrAbortHandler)
		})
	}
	if res, _ := s.get(t, "/"); res.StatusCode != 502 {
		t.Errorf("answered %d", res.StatusCode)
	}
	if n := kills.Load(); n != 2 {
		t.Errorf("%d targets had it", n)
	}
}

// An application that closes its unused connections after a short time, as
// Node (5 s) and gunicorn (2 s) do, costs no request, not even a POST.
func TestTargetClosesIdleConnections(t *testing.T) {
	s := newSite(t, Options{HealthInterval: time.Hour})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{}, 10)
	app := &http.Server{IdleTimeout: time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}), ConnState: func(c net.Conn, st http.ConnState) {
		if st == http.StateClosed {
			select {
			case closed <- struct{}{}:
			default:
			}
		}
	}}
	go app.Serve(l)
	t.Cleanup(func() { app.Close() })
	s.addURL(t, "web.1", "http://"+l.Addr().String())
	<-closed // the check's
	for i := range 50 {
		if res, body := s.do(t, "POST", "/", strings.NewReader("form")); res.StatusCode != 200 || body != "form" {
			t.Fatalf("request %d answered %d %q", i, res.StatusCode, body)
		}
		<-closed
	}
}

func TestKeepAliveHeaderIsHeeded(t *testing.T) {
	c := &conn{t: &target{}, keep: time.Minute}
	c.t.opt.Store(&Options{IdleTimeout: time.Minute})
	for _, tc := range []struct {
		value string
		want  time.Duration
	}{
		{"timeout=5", 4 * time.Second}, {"max=3, Timeout=1", 0}, {"timeout=900", time.Minute},
		{"timeout=-1", time.Minute}, {"timeout", time.Minute}, {"timeout=99999999999999", time.Minute},
	} {
		c.keep = time.Minute
		if c.learnKeep(tc.value); c.keep != tc.want {
			t.Errorf("%q: kept %v, want %v", tc.value, c.keep, tc.want)
		}
	}
}

// Unused connections are given up after their time.
func TestIdleConnectionsAreReaped(t *testing.T) {
	s := newSite(t, Options{IdleTimeout: 10 * time.Millisecond, HealthInterval: 5 * time.Millisecond})
	s.add(t, "web.1", func(http.ResponseWriter, *http.Request) {})
	s.get(t, "/")
	eventually(t, "no connection kept", func() bool {
		s.mu.Lock()
		tg := s.targets[0]
		s.mu.Unlock()
		tg.connMu.Lock()
		defer tg.connMu.Unlock()
		return len(tg.all) == 0 && len(tg.idle) == 0
	})
}
