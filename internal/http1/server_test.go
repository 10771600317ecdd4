package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// serve starts a server on loopback that ends with the test.
func serve(t testing.TB, h http.Handler) (address string, s *Server) {
	t.Helper()
	return serveWithin(t, h, 10*time.Second)
}

// serveWithin is serve with a bound for heads.
func serveWithin(t testing.TB, h http.Handler, header time.Duration) (address string, s *Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &Server{HTTP: &http.Server{Handler: h, ReadHeaderTimeout: header, MaxHeaderBytes: 64 << 10}}
	if overTLS {
		s.TLS = serverTLS(t)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return l.Addr().String(), s
}

// awaitOpen waits until so many connections are served here: one that passed on
// is forgotten a moment after net/http has it.
func awaitOpen(t testing.TB, s *Server, want int) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); len(s.open()) != want; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d connections are served here, want %d", len(s.open()), want)
		}
	}
}

// echo answers with what it was sent.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Write(b)
})

func TestPlainRequests(t *testing.T) {
	address, s := serve(t, echo)
	client := client()
	for _, n := range []int{0, 1, 100, 8 << 10, 70_000, 2 << 20, 3 << 20} {
		want := bytes.Repeat([]byte("ab"), n/2+1)[:n]
		r, err := client.Post(scheme+address+"/some/path?x=y", "text/plain", bytes.NewReader(want))
		if err != nil {
			t.Fatal(n, err)
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: got %d back, %v", n, len(got), err)
		}
		wantOpen := 1
		if n > maxBody {
			wantOpen = 0 // passed to net/http
		}
		awaitOpen(t, s, wantOpen)
	}
}

func TestShutdown(t *testing.T) {
	begun, release := make(chan bool), make(chan bool)
	address, s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-release
	}))
	idle, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	answered := make(chan error, 1)
	go func() {
		r, err := client().Post(scheme+address+"/", "", strings.NewReader("x"))
		if err == nil && (r.StatusCode != 200 || !r.Close) {
			t.Errorf("status %d, close %v", r.StatusCode, r.Close)
		}
		answered <- err
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("an idle connection ended with %v", err)
	}
	select {
	case err := <-stopped:
		t.Fatalf("Shutdown returned %v with a request under way", err)
	default:
	}
	close(release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func BenchmarkEcho(b *testing.B) {
	for name, start := range map[string]func(testing.TB, http.Handler) string{
		"http1": func(t testing.TB, h http.Handler) string { a, _ := serve(t, h); return a },
		"nethttp": func(t testing.TB, h http.Handler) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
			go s.Serve(l)
			t.Cleanup(func() { s.Close() })
			return l.Addr().String()
		},
	} {
		b.Run(name, func(b *testing.B) {
			address := start(b, echo)
			body := strings.Repeat("x", 400)
			request := []byte("POST / HTTP/1.1\r\nHost: " + address + "\r\nUser-Agent: bench\r\nContent-Type: application/x-amz-json-1.0\r\n" +
				"X-Amz-Date: 20261121T000000Z\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nAuthorization: " + strings.Repeat("a", 200) +
				"\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				c, err := net.Dial("tcp", address)
				if err != nil {
					b.Error(err)
					return
				}
				defer c.Close()
				reply := make([]byte, 4096)
				for pb.Next() {
					if _, err := c.Write(request); err != nil {
						b.Error(err)
						return
					}
					if _, err := io.ReadAtLeast(c, reply, len(body)+50); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	if overTLS {
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	return c
}
