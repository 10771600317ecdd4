package http1

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"
)

const signed = "POST / HTTP/1.1\r\nHost: 127.0.0.1:4566\r\nUser-Agent: aws-sdk-go-v2/1.47.6\r\nContent-Length: 3\r\n" +
	"Amz-Sdk-Request: attempt=1; max=3\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x/20261121/eu-central-2/sqs/aws4_request, Signature=0\r\n" +
	"Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.SendMessage\r\nAccept-Encoding: gzip\r\n\r\n"

// likeNetHTTP parses b both ways, and fails unless what is plain is the same
// to net/http and refused by neither.
func likeNetHTTP(t *testing.T, b []byte) (plain bool) {
	t.Helper()
	i := bytes.Index(b, blankLine)
	if i < 0 {
		return false
	}
	b = b[:i+len(blankLine)]
	h := head{header: http.Header{"Left": {"of the request before"}}}
	if !h.parse(b) {
		return false
	}
	in := bufio.NewReader(bytes.NewReader(b))
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("plain here, and to net/http %v:\n%q", err, b)
	}
	if in.Buffered() != 0 {
		t.Fatalf("net/http ended %d bytes before:\n%q", in.Buffered(), b)
	}
	length := r.ContentLength
	if r.Method != h.method || r.Proto != "HTTP/1.1" || r.Close || len(r.TransferEncoding) > 0 || len(r.Trailer) > 0 || r.URL.Scheme != "" {
		t.Fatalf("net/http sees %s %s, close %v, %v, trailer %v, %v:\n%q", r.Method, r.Proto, r.Close, r.TransferEncoding, r.Trailer, r.URL, b)
	}
	if *r.URL != h.url || r.RequestURI != h.uri || r.Host != h.host || length != h.length {
		t.Fatalf("net/http sees %#v %q %q %d, here it is %#v %q %q %d:\n%q", r.URL, r.RequestURI, r.Host, length, h.url, h.uri, h.host, h.length, b)
	}
	if !maps.EqualFunc(r.Header, h.header, slices.Equal) {
		t.Fatalf("net/http sees %q\nhere it is    %q\n%q", r.Header, h.header, b)
	}
	return true
}

func TestParse(t *testing.T) {
	const host = "Host: a\r\n"
	for request, plain := range map[string]bool{
		signed:                               true,
		"POST / HTTP/1.1\r\nHost: a\r\n\r\n": true,
		"POST /000000000000/q?a=b%20c HTTP/1.1\r\nhost:[::1]:80\r\n\r\n":        true,
		"POST / HTTP/1.1\r\n" + host + "X-A: 1\r\nx-a:\t2 \r\nX-Empty:\r\n\r\n": true,
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 2097152\r\n\r\n":        true,
		"POST / HTTP/1.1\r\n" + host + "Connection: Keep-Alive\r\n\r\n":         true,
		"POST / HTTP/1.1\r\n" + host + "X-Latin: caf\xe9\r\n\r\n":               true,
		"POST / HTTP/1.1\r\n\r\n":                                                       false, // no host
		"POST / HTTP/1.1\r\nHost:\r\n\r\n":                                              false,
		"POST / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n":                                 false,
		"POST / HTTP/1.1\r\nHost: a b\r\n\r\n":                                          false,
		"POST / HTTP/1.1\r\nHost: a/b\r\n\r\n":                                          false,
		"GET / HTTP/1.1\r\n" + host + "\r\n":                                            true,
		"HEAD /a/b.c?d HTTP/1.1\r\n" + host + "\r\n":                                    true,
		"GET /a? HTTP/1.1\r\n" + host + "\r\n":                                          true,
		"GET /a?b?c#d%zz HTTP/1.1\r\n" + host + "\r\n":                                  true,
		"GET /%2e%2E/(a)!#b HTTP/1.1\r\n" + host + "\r\n":                               true,
		"PUT / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\n":                       true,
		"DELETE / HTTP/1.1\r\n" + host + "\r\n":                                         true,
		"GET / HTTP/1.1\r\n" + host + "Pragma: no-cache\r\n\r\n":                        true,
		"GET / HTTP/1.1\r\n" + host + "Pragma: no-cache\r\nCache-Control: a\r\n\r\n":    true,
		"GETS / HTTP/1.1\r\n" + host + "\r\n":                                           false,
		"CONNECT / HTTP/1.1\r\n" + host + "\r\n":                                        false,
		"GET /! x HTTP/1.1\r\n" + host + "\r\n":                                         false,
		"TRACE / HTTP/1.1\r\n" + host + "\r\n":                                          false,
		"OPTIONS * HTTP/1.1\r\n" + host + "\r\n":                                        false,
		"GET http://a/ HTTP/1.1\r\n" + host + "\r\n":                                    false,
		"GET / HTTP/1.1\r\n" + host + "Te: trailers\r\n\r\n":                            false,
		"post / HTTP/1.1\r\n" + host + "\r\n":                                           false,
		"POST / HTTP/1.0\r\n" + host + "\r\n":                                           false,
		"POST / HTTP/2.0\r\n" + host + "\r\n":                                           false,
		"POST  / HTTP/1.1\r\n" + host + "\r\n":                                          false,
		"POST / x HTTP/1.1\r\n" + host + "\r\n":                                         false,
		"POST /\tx HTTP/1.1\r\n" + host + "\r\n":                                        false,
		"POST //a HTTP/1.1\r\n" + host + "\r\n":                                         false,
		"POST http://a/ HTTP/1.1\r\n" + host + "\r\n":                                   false,
		"POST * HTTP/1.1\r\n" + host + "\r\n":                                           false,
		"POST /%zz HTTP/1.1\r\n" + host + "\r\n":                                        false,
		"POST / HTTP/1.1\n" + host + "\r\n":                                             false, // bare LF
		"POST / HTTP/1.1\r\n" + host + "A: b\nC: d\r\n\r\n":                             false,
		"POST / HTTP/1.1\r\n" + host + "A: b\rC: d\r\n\r\n":                             false, // bare CR
		"POST / HTTP/1.1\r\n" + host + "A: b\x00\r\n\r\n":                               false,
		"POST / HTTP/1.1\r\n" + host + "A: b\r\n c\r\n\r\n":                             false, // folded
		"POST / HTTP/1.1\r\n " + host + "\r\n":                                          false,
		"POST / HTTP/1.1\r\n" + host + "A : b\r\n\r\n":                                  false,
		"POST / HTTP/1.1\r\n" + host + ": b\r\n\r\n":                                    false,
		"POST / HTTP/1.1\r\n" + host + "A\r\n\r\n":                                      false,
		"POST / HTTP/1.1\r\n" + host + "Ä: b\r\n\r\n":                                   false,
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n": false,
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 1, 1\r\n\r\n":                   false,
		"POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\n":                     false,
		"POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n":                     false,
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 0x1\r\n\r\n":                    false,
		"POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\n":                        false,
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 2097153\r\n\r\n":                false,
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 99999999999\r\n\r\n":            false,
		"POST / HTTP/1.1\r\n" + host + "transfer-encoding: chunked\r\n\r\n":             false,
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n":            false,
		"POST / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n":                      false,
		"POST / HTTP/1.1\r\n" + host + "Connection: keep-alive, x-a\r\n\r\n":            false,
		"POST / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n":    false,
		"POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\n\r\n":                   false,
		"POST / HTTP/1.1\r\n" + host + "Trailer: A\r\n\r\n":                             false,
	} {
		if got := likeNetHTTP(t, []byte(request)); got != plain {
			t.Errorf("plain %v, want %v:\n%q", got, plain, request)
		}
	}
}

// Any way of cutting a head into reads is the same head, and so is what
// follows it.
func TestHeadInPieces(t *testing.T) {
	address, _ := serve(t, echo)
	for cut := 1; cut < len(signed)+3; cut++ {
		c := dial(t, address)
		all := signed + "abc" + signed + "def"
		for _, part := range []string{all[:cut], all[cut:]} {
			if _, err := io.WriteString(c, part); err != nil {
				t.Fatal(err)
			}
		}
		in := bufio.NewReader(c)
		for _, want := range []string{"abc", "def"} {
			r, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			if got, _ := io.ReadAll(r.Body); string(got) != want {
				t.Errorf("cut at %d: got %q, want %q", cut, got, want)
			}
		}
		c.Close()
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(signed))
	for _, s := range []string{"Connection: keep-alive", "Content-Length: 10", "Te: trailers", "Keep-Alive: 5", "Http2-Settings: x",
		"A: b\r\nA: c", "proxy-connection: keep-alive", "Cookie: a=b"} {
		for _, start := range []string{"POST /a?b#c", "GET /", "HEAD /%41;=?", "OPTIONS /é", "PUT /\\{}|", "DELETE /a/../b//c?", "PATCH /a?b?c"} {
			f.Add([]byte(start + " HTTP/1.1\r\nHost: a\r\n" + s + "\r\n\r\n"))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		likeNetHTTP(t, b)
		if i := bytes.IndexByte(b, '\n'); i >= 0 && methodLen(b) == 0 {
			likeNetHTTP(t, append([]byte("GET / HTTP/1.1\r\nHost: a\r\n"), b...))
		}
	})
}
