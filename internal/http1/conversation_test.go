package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// witness answers with what it was sent, and keeps what it saw.
type witness struct {
	mu   sync.Mutex
	seen []string
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	one := fmt.Sprintf("%s %s %s %q %q %v", r.Method, r.RequestURI, r.Host, r.Header, b, err != nil)
	w.mu.Lock()
	w.seen = append(w.seen, one)
	w.mu.Unlock()
	io.WriteString(rw, one)
}

// converse sends parts, ends its side of the connection, and returns what was
// answered until the other side ended too: statuses and bodies, in order.
func converse(t *testing.T, address string, parts ...string) (answers []string) {
	t.Helper()
	c := dial(t, address)
	defer c.Close()
	for _, part := range parts {
		if _, err := io.WriteString(c, part); err != nil {
			break // refused already
		}
	}
	c.(interface{ CloseWrite() error }).CloseWrite()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers
		}
		body, err := io.ReadAll(r.Body)
		answers = append(answers, fmt.Sprintf("%s %q %v", r.Status, body, err))
	}
}

// Whatever is sent, the handler sees the requests that net/http would have seen,
// and the client the same answers: nobody who stands before it can be made to
// see another request where one ends and the next begins.
func TestConversationsLikeNetHTTP(t *testing.T) {
	const (
		head  = "POST /p HTTP/1.1\r\nHost: a\r\n"
		plain = head + "Content-Length: 2\r\n\r\nab"
		inner = "POST /smuggled HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\n\r\nx"
	)
	chunked := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(s), s) }
	for name, request := range map[string]string{
		"CL.TE":                 head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"TE.CL":                 head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunked(inner),
		"TE.TE":                 head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n" + chunked(inner),
		"TE of another case":    head + "tRANSFER-eNCODING: cHUNKED\r\n\r\n" + chunked(inner),
		"TE with a space":       head + "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		"TE after a tab":        head + "Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		"TE with vertical tab":  head + "Transfer-Encoding: \vchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		"TE folded":             head + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		"TE behind a folding":   head + "X: y\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		"TE behind a bare LF":   head + "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		"TE behind a bare CR":   head + "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		"TE with underscore":    head + "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + plain,
		"TE identity":           head + "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab" + plain,
		"two lengths":           head + "Content-Length: 2\r\nContent-Length: 60\r\n\r\nab" + inner,
		"two equal lengths":     head + "Content-Length: 2\r\ncontent-length: 2\r\n\r\nab" + inner,
		"lengths in a list":     head + "Content-Length: 2, 2\r\n\r\nab" + inner,
		"length with a sign":    head + "Content-Length: +2\r\n\r\nab" + inner,
		"negative length":       head + "Content-Length: -2\r\n\r\nab" + inner,
		"length in hexadecimal": head + "Content-Length: 0x2\r\n\r\nab" + inner,
		"length with zeros":     head + "Content-Length: 0000002\r\n\r\nab" + inner,
		"many zeros":            head + "Content-Length: 0000000000000000000002\r\n\r\nab" + inner,
		"length with underline": head + "Content-Length: 0_2\r\n\r\nab" + inner,
		"length and text":       head + "Content-Length: 2 x\r\n\r\nab" + inner,
		"length with a space":   head + "Content-Length : 2\r\n\r\nab" + inner,
		"empty length":          head + "Content-Length: \r\n\r\nab" + inner,
		"overflowing length":    head + "Content-Length: 18446744073709551618\r\n\r\nab" + inner,
		"no length":             head + "\r\n" + inner,
		"length in a folding":   head + "X: y\r\n Content-Length: 60\r\n\r\n" + inner,
		"length behind NUL":     head + "X: y\x00\r\nContent-Length: 2\r\n\r\nab" + inner,
		"bare LF":               strings.ReplaceAll(plain, "\r\n", "\n") + inner,
		"LF ends the head":      "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\nab" + inner,
		"LF, CR LF":             "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\n\r\nab" + inner,
		"CR CR LF":              "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\r\n\r\nab" + inner,
		"lines before":          "\r\n\r\n" + plain + "\r\n" + inner,
		"line by line":          "\r\n" + plain + "\n" + plain + "\r\n\r\n" + inner,
		"too many lines":        "\r\n\r\n\r\n" + inner,
		"line at the end":       "\r\n",
		"line before the first": "\r\n" + inner,
		"space first":           " " + plain,
		"two hosts":             head + "Host: b\r\nContent-Length: 2\r\n\r\nab" + inner,
		"host and address":      "POST http://b/p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + inner,
		"host of a user":        "POST /p HTTP/1.1\r\nHost: u@a\r\nContent-Length: 2\r\n\r\nab" + inner,
		"HTTP/1.0":              "POST /p HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + inner,
		"HTTP/1.2":              "POST /p HTTP/1.2\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + inner,
		"HTTP/1.01":             "POST /p HTTP/1.01\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + inner,
		"HTTP/2's preface":      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"close":                 head + "Connection: close\r\nContent-Length: 2\r\n\r\nab" + inner,
		"close in a list":       head + "Connection: x, close\r\nContent-Length: 2\r\n\r\nab" + inner,
		"two connections":       head + "Connection: keep-alive\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab" + inner,
		"upgrade":               head + "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab" + inner,
		"expectation":           head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab" + inner,
		"odd expectation":       head + "Expect: 200-ok\r\nContent-Length: 2\r\n\r\nab" + inner,
		"garbage":               "\x00\xff\x16\x03\x01 garbage\r\n\r\n" + inner,
		"half a head":           head,
		"half a body":           head + "Content-Length: 20\r\n\r\nab",
		"fragment":              "POST /p#f HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + inner,
		"bad escape":            "POST /%2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + inner,
		"gets":                  "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2?a=b HTTP/1.1\r\nHost: a\r\n\r\n" + inner,
		"get with a body":       "GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + inner,
		"get with chunks":       "GET /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked("ab") + inner,
		"get CL.TE":             "GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"head of lengthy":       "HEAD /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
		"get 0.9":               "GET /\r\n\r\n" + inner,
		"method in small":       "get / HTTP/1.1\r\nHost: a\r\n\r\n" + inner,
		"method and tab":        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n" + inner,
		"half a method":         "GE",
		"connect":               "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + inner,
		"trace":                 "TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n" + inner,
		"get, escapes":          "GET /a%2Fb%00/../c;d?%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n" + inner,
		"two slashes":           "GET //b/p HTTP/1.1\r\nHost: a\r\n\r\n" + inner,
		"options *":             "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + inner,
		"nothing but plain":     inner + inner + inner,
		"8 KiB head":            head + "X: " + strings.Repeat("x", bufferSize-len(head)-len("X: \r\nContent-Length: 2\r\n\r\n")) + "\r\nContent-Length: 2\r\n\r\nab" + inner,
		"8 KiB head and a byte": head + "X: " + strings.Repeat("x", bufferSize-len(head)-len("X: \r\nContent-Length: 2\r\n\r\n")+1) + "\r\nContent-Length: 2\r\n\r\nab" + inner,
		"head without an end":   head + "X: " + strings.Repeat("x", 100<<10),
		"thousand fields":       head + strings.Repeat("X: y\r\n", 1000) + "Content-Length: 2\r\n\r\nab" + inner,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Alone, and after a request that was answered here already.
			for _, before := range []string{"", plain} {
				var here, there witness
				address, _ := serve(t, &here)
				got := converse(t, address, before+request)
				want := converse(t, netHTTP(t, &there), before+request)
				if !slices.Equal(got, want) || !slices.Equal(here.seen, there.seen) {
					t.Errorf("%.300q\nis answered     %.2000q\nand by net/http %.2000q\nhandled         %.2000q\nand by net/http %.2000q", before+request, got, want, here.seen, there.seen)
				}
			}
		})
	}
}

// Pipelined requests are the same however they are cut, also where one of them
// passes the connection on.
func TestPipelineInPieces(t *testing.T) {
	const plain = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
	all := plain + "POST /2 HTTP/1.1\r\nHost: a\r\n\r\n" + plain +
		"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n" + plain
	var here, there witness
	want := converse(t, netHTTP(t, &there), all)
	address, _ := serve(t, &here)
	for cut := range len(all) {
		if got := converse(t, address, all[:cut], all[cut:]); !slices.Equal(got, want) || len(got) != 5 {
			t.Fatalf("cut at %d it is answered\n%q, and by net/http\n%q", cut, got, want)
		}
	}
	if want := slices.Repeat(there.seen, len(all)); !slices.Equal(here.seen, want) {
		t.Errorf("handled\n%q, and by net/http\n%q", here.seen, want)
	}
	bytewise := make([]string, len(all))
	for i := range len(all) {
		bytewise[i] = all[i : i+1]
	}
	if got := converse(t, address, bytewise...); !slices.Equal(got, want) {
		t.Errorf("byte by byte it is answered\n%q, and by net/http\n%q", got, want)
	}
}

// A client that sends requests and takes no answer holds one connection, and
// nobody else's.
func TestClientsThatNeverRead(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 1<<20)
	began := make(chan bool, 100)
	address, s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			began <- true
			for range 8 {
				w.Write(large)
			}
		}
	}))
	for range cap(began) {
		c := dial(t, address)
		io.WriteString(c, strings.Repeat("POST /large HTTP/1.1\r\nHost: a\r\n\r\n", 10))
	}
	for range cap(began) {
		<-began
	}
	if got := converse(t, address, "POST / HTTP/1.1\r\nHost: a\r\n\r\n"); !slices.Equal(got, []string{`200 OK "" <nil>`}) {
		t.Errorf("another client is answered %q", got)
	}
	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("Close waits for clients that never read")
	}
}
