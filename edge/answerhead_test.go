package edge

import (
	"bufio"
	"bytes"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// notPlain are heads of answers that are not read by our own parser.
var notPlain = []string{
	"",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
	"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 600 What\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 200 O\x00K\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\nX: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\rX: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 3\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\nContent-Length: 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: 1\r\n 2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: \x00\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: \x7f\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n: nothing\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nÜ: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Own\r\nX-Own: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\nConnection: X-Own\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nUpgrade: h2\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTrailer: X\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nPragma: no-cache\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Accel-Buffering: no\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/event-stream\r\n\r\n",
}

var plainAnswers = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 599 \r\ncontent-length: \t 02\t \r\n\r\nok",
	"HTTP/1.1 404 Not Found\r\nServer: a\r\nContent-Length: 2\r\nConnection: close\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nDate: today\r\nContent-Length: 2\r\nX-Request-Id: a\r\nX_y-z: ä\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nDayfly-Route: a\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nEmpty:\r\nx!#$%&'*+-.^_`|~9a-bC: d\r\nContent-Length: 2\r\n\r\nok",
}

func TestNotPlainAnswers(t *testing.T) {
	for _, s := range notPlain {
		if n := new(answerHead).parse([]byte(s)); n != 0 {
			t.Errorf("%q is taken for plain", s)
		}
	}
}

// FuzzAnswerHead compares what our parser makes of a head to what net/http and
// the ways behind it do: of all that is plain it is the same.
func FuzzAnswerHead(f *testing.F) {
	for _, s := range slices.Concat(notPlain, plainAnswers) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h := answerHead{fields: []byte("of before")}
		n := h.parse(b)
		if n == 0 {
			return
		}
		in := bufio.NewReader(bytes.NewReader(b))
		res, err := http.ReadResponse(in, &http.Request{Method: http.MethodGet})
		if err != nil {
			t.Fatalf("plain, but net/http says %v", err)
		}
		if rest := in.Buffered(); rest != len(b)-n && len(b) <= 4096 {
			t.Errorf("the head ends %d bytes before the end, for net/http %d", len(b)-n, rest)
		}
		if res.StatusCode != h.status || res.ContentLength != h.length || res.Close != h.close || len(res.TransferEncoding) > 0 || len(res.Trailer) > 0 {
			t.Errorf("%+v, net/http: %+v", h, res)
		}
		if got := res.Header.Get("Keep-Alive"); got != h.keep {
			t.Errorf("Keep-Alive %q, net/http: %q", h.keep, got)
		}
		if _, dated := res.Header["Date"]; dated != h.dated {
			t.Errorf("dated %v, net/http: %v", h.dated, dated)
		}
		stripHop(res.Header)
		res.Header.Del("Content-Length")
		res.Header.Del("X-Request-Id")
		if got := res.Header.Get(RouteHeader); got != h.route {
			t.Errorf("route %q, net/http: %q", h.route, got)
		}
		res.Header.Del(RouteHeader)
		if got := res.Header.Get("Content-Encoding"); got != h.coding {
			t.Errorf("coding %q, net/http: %q", h.coding, got)
		}
		fields, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(slices.Concat([]byte("HTTP/1.1 200 OK\r\n"), h.fields, []byte("\r\n")))), nil)
		if err != nil {
			t.Fatalf("fields %q: %v", h.fields, err)
		}
		if diff := cmp.Diff(res.Header, fields.Header); diff != "" {
			t.Errorf("fields (-net/http +plain)\n%s", diff)
		}
	})
}

func TestPlainAnswers(t *testing.T) {
	for _, s := range plainAnswers {
		if n := new(answerHead).parse([]byte(s)); n != len(s) && n != len(s)-2 {
			t.Errorf("%q is not taken for plain, or its head is read as %d bytes", s, n)
		}
	}
}
