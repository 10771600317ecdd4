package http1

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// The tests of this package are run again with TLS by TestOverTLS.
const tlsVariable = "DAYFLY_HTTP1_TLS"

var (
	overTLS = os.Getenv(tlsVariable) != ""
	scheme  = map[bool]string{false: "http://", true: "https://"}[overTLS]
)

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"a"}}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func serverTLS(testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"h2", "http/1.1"}}
}

// socket is what a test's connection is at its bottom.
func socket(c net.Conn) *net.TCPConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*net.TCPConn)
}

// client keeps one connection, with TLS or without.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// TestOverTLS: what holds of connections without TLS holds with it.
func TestOverTLS(t *testing.T) {
	if overTLS {
		return
	}
	for _, tests := range []string{
		"Conversations|Answers|PlainRequests|Shutdown", "ClientLeaves|SendsAhead|AfterWatch", "CloseEndsRequests|PassedOn|Pieces|NeverRead|LeftBehind",
	} {
		t.Run(tests, func(t *testing.T) {
			t.Parallel()
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+tests, "-test.v", "-test.timeout=5m")
			c.Env = append(os.Environ(), tlsVariable+"=1")
			out, err := c.CombinedOutput()
			if err != nil || bytes.Count(out, []byte("--- PASS: ")) < 3 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// serveTLS starts a server with TLS, whatever the other tests do.
func serveTLS(t *testing.T, h http.Handler, header time.Duration) (address string, s *Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &Server{HTTP: &http.Server{Handler: h, ReadHeaderTimeout: header}, TLS: serverTLS(t)}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-ended })
	return l.Addr().String(), s
}

// said answers with how it was asked.
var said = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %t %q %s", r.Proto, r.TLS != nil && r.TLS.HandshakeComplete, r.TLS.ServerName, b)
})

// TestALPN: who chooses HTTP/2 has it, others have the loop, and requests that
// are not plain know of TLS too.
func TestALPN(t *testing.T) {
	address, s := serveTLS(t, said, 10*time.Second)
	for _, tt := range []struct {
		name   string
		h2     bool
		body   io.Reader
		want   string
		served int
	}{
		{"HTTP/2", true, strings.NewReader("x"), `HTTP/2.0 true "a" x`, 0},
		{"plain", false, strings.NewReader("x"), `HTTP/1.1 true "a" x`, 1},
		{"not plain", false, io.MultiReader(strings.NewReader("x")), `HTTP/1.1 true "a" x`, 0},
	} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "a"}, ForceAttemptHTTP2: tt.h2}
		for range 2 {
			r, err := (&http.Client{Transport: tr}).Post("https://"+address, "text/plain", tt.body)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != tt.want {
				t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
			}
			tt.want, tt.body = strings.TrimSuffix(tt.want, "x"), nil
		}
		awaitOpen(t, s, tt.served)
		tr.CloseIdleConnections()
		awaitOpen(t, s, 0)
	}
}

// TestRecords: requests and answers are whole however they are cut into records.
func TestRecords(t *testing.T) {
	address, _ := serveTLS(t, echo, 10*time.Second)
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for _, size := range []int{1, 2, 5, 100, 5000, 1 << 20} {
		body := bytes.Repeat([]byte("0123456789"), 7000)
		text := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body))
		ended := make(chan error, 1)
		go func() {
			rest := append(text, body...)
			if size < 100 { // only the head in small ones
				for ; len(rest) > len(body); rest = rest[size:] {
					if _, err := c.Write(rest[:size]); err != nil {
						ended <- err
						return
					}
				}
			}
			for len(rest) > 0 {
				n, err := c.Write(rest[:min(max(size, 100), len(rest))])
				if rest = rest[n:]; err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("records of %d: %v", size, err)
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("records of %d: %d bytes back, %v", size, len(got), err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// TestShutdownSaysSo: an idle connection ends with TLS's own end, so that its
// client knows that nothing is missing; one in the handshake is not waited for.
func TestShutdownSaysSo(t *testing.T) {
	address, s := serveTLS(t, said, time.Minute)
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	awaitOpen(t, s, 2)
	// One request: before it the server may still be in the handshake.
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the client sees %v", err)
	}
}

// TestBadHandshakes: a client that sends nothing, too slowly, or no TLS is left.
func TestBadHandshakes(t *testing.T) {
	address, s := serveTLS(t, said, 300*time.Millisecond)
	for name, tt := range map[string]struct{ sent, want string }{
		"nothing":        {"", ""},
		"a request":      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"},
		"half a record":  {"\x16\x03\x01\x02\x00\x01\x00", ""},
		"a large record": {"\x16\x03\x01\xff\xff\x01\x00", "\x15\x03\x01\x00\x02\x02\x16"},
		"nonsense":       {"nonsense that is long enough", ""},
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(c, tt.sent)
		got, err := io.ReadAll(c)
		if string(got) != tt.want || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		c.Close()
	}
	awaitOpen(t, s, 0)
}

// prefixed is a connection that begins with a line with its client's address.
type prefixed struct {
	*net.TCPConn
	client net.Addr
}

func (p *prefixed) TCP() *net.TCPConn    { return p.TCPConn }
func (p *prefixed) RemoteAddr() net.Addr { return p.client }

func (p *prefixed) Begin() ([]byte, error) {
	buf := make([]byte, 4<<10)
	n := 0
	for {
		m, err := p.Read(buf[n:])
		if err != nil {
			return nil, err
		}
		n += m
		if line, rest, ok := strings.Cut(string(buf[:n]), "\n"); ok {
			p.client, err = net.ResolveTCPAddr("tcp", line)
			return []byte(rest), err
		}
	}
}

type prefixing struct{ net.Listener }

func (l prefixing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &prefixed{TCPConn: c.(*net.TCPConn)}, nil
}

// TestPrefixed: the address that stands before the first request, and before
// TLS, is the client's, for the loop and for net/http.
func TestPrefixed(t *testing.T) {
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto+" "+r.RemoteAddr) })
	for _, secured := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{HTTP: &http.Server{Handler: who, ReadHeaderTimeout: 10 * time.Second}}
		if secured {
			s.TLS = serverTLS(t)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(prefixing{l}) }()
		for _, more := range []string{"", "Connection: close\r\n"} {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			prefix, request := "192.0.2.7:1000\n", "GET / HTTP/1.1\r\nHost: a\r\n"+more+"\r\n"
			if secured {
				io.WriteString(c, prefix)
				c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
				prefix = ""
			}
			io.WriteString(c, prefix+request)
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r.Body); string(got) != "HTTP/1.1 192.0.2.7:1000" || err != nil {
				t.Errorf("TLS %t: %q, %v", secured, got, err)
			}
			c.Close()
		}
		awaitOpen(t, s, 0)
		s.Close()
		<-ended
	}
}
