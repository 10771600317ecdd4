package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const plain = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"

// polling is a handler that waits for its client to leave, or to be released.
type polling struct {
	begun   chan struct{}
	release chan struct{}
	ended   chan error
}

func newPolling() *polling {
	return &polling{make(chan struct{}, 10), make(chan struct{}), make(chan error, 10)}
}

func (p *polling) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(w, r.Body)
	p.begun <- struct{}{}
	select {
	case <-r.Context().Done():
	case <-p.release:
	}
	p.ended <- r.Context().Err()
}

func TestClientLeaves(t *testing.T) {
	for name, leave := range map[string]func(net.Conn){
		"closes":      func(c net.Conn) { c.Close() },
		"resets":      func(c net.Conn) { socket(c).SetLinger(0); socket(c).Close() },
		"half-closes": func(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() },
	} {
		for _, late := range []bool{false, true} { // the body comes in a packet of its own
			p := newPolling()
			address, _ := serve(t, p)
			c := dial(t, address)
			io.WriteString(c, plain)
			if late {
				time.Sleep(5 * time.Millisecond) // not waited for: only makes two reads likely
			}
			io.WriteString(c, "ab")
			<-p.begun
			leave(c)
			if err := <-p.ended; err != context.Canceled {
				t.Errorf("%s: the request ended with %v", name, err)
			}
		}
	}
}

// What a client sends during a long poll is its next request.
func TestSendsAhead(t *testing.T) {
	p := newPolling()
	address, _ := serve(t, p)
	c := dial(t, address)
	in := bufio.NewReader(c)
	io.WriteString(c, plain+"ab")
	for i := range 5 {
		<-p.begun
		time.Sleep(time.Duration(i%3) * watchAfter) // watched, or not yet
		io.WriteString(c, plain+"ab")
		p.release <- struct{}{}
		if err := <-p.ended; err != nil {
			t.Errorf("request %d ended with %v", i, err)
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		if body, err := io.ReadAll(r.Body); string(body) != "ab" || err != nil {
			t.Errorf("request %d: %q, %v", i, body, err)
		}
	}
}

// A watch leaves the connection as it was: its deadlines, and what follows.
func TestAfterWatch(t *testing.T) {
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * watchAfter)
		echo(w, r)
	})
	address, s := serveWithin(t, slow, time.Second)
	client := client()
	for i := range 8 {
		size := []int{2, 100_000}[i%2]
		r, err := client.Post(scheme+address, "", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(i, err)
		}
		if body, err := io.ReadAll(r.Body); len(body) != size || err != nil {
			t.Errorf("%d: %d bytes, %v", i, len(body), err)
		}
	}
	if n := len(s.open()); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestTimeouts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{HTTP: &http.Server{Handler: echo, ReadHeaderTimeout: time.Second, IdleTimeout: 2 * time.Second}}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	for name, sent := range map[string]string{
		"nothing":              "",
		"half a head":          "POST / HTTP/1.1\r\nHo",
		"a request, nothing":   plain + "ab",
		"a request, then half": plain + "abPOST / HTT",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			c := dial(t, l.Addr().String())
			io.WriteString(c, sent)
			got, err := io.ReadAll(c)
			if err != nil {
				t.Error(err)
			}
			if answered := strings.HasSuffix(string(got), "ab"); answered != strings.Contains(sent, "ab") {
				t.Errorf("got %q", got)
			}
			if took := time.Since(begun); took < 900*time.Millisecond {
				t.Errorf("the connection was closed after %v", took)
			}
		})
	}
}

// A head that comes a byte at a time does not gain time with each.
func TestSlowHead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{HTTP: &http.Server{Handler: echo, ReadHeaderTimeout: 200 * time.Millisecond}}
	go s.Serve(l)
	defer s.Close()
	c := dial(t, l.Addr().String())
	begun := time.Now()
	for i := 0; ; i++ {
		if _, err := io.WriteString(c, signed[i%len(signed):i%len(signed)+1]); err != nil {
			break
		}
		if time.Since(begun) > time.Minute {
			t.Fatal("the connection is open after a minute")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestCloseEndsRequests(t *testing.T) {
	p := newPolling()
	address, s := serve(t, p)
	c := dial(t, address)
	io.WriteString(c, plain+"ab")
	<-p.begun
	s.Close()
	if err := <-p.ended; err != context.Canceled {
		t.Errorf("the request ended with %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
}

// A handler may leave someone behind who reads the body, as a proxy does.
func TestReaderLeftBehind(t *testing.T) {
	left := make(chan error, 1)
	address, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/leave" {
			return
		}
		reading := make(chan struct{})
		go func() {
			close(reading)
			_, err := io.ReadAll(r.Body)
			left <- err
		}()
		<-reading
		time.Sleep(10 * time.Millisecond) // it is probably in Read
	}))
	c := dial(t, address)
	io.WriteString(c, "POST /leave HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
	in := bufio.NewReader(c)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-left; err == nil {
		t.Error("who was left behind read to the end")
	}
	io.WriteString(c, "cd"+plain+"ab")
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Error("after it:", err)
	}
}
