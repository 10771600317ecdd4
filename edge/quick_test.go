package edge

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/edge/compress"
	"github.com/dayfly-dev/dayfly/edge/cors"
	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/internal/http1"
)

// bothWays serves an edge by the loop with the quick way and without, and counts
// what was answered quickly.
func bothWays(t *testing.T, e *Edge) (quick, usual *client, n *atomic.Int64) {
	t.Helper()
	n = new(atomic.Int64)
	always := func() bool { return true }
	counting := func(g *http1.Glance, out []byte) (head, body []byte, ok bool) {
		if head, body, ok = e.quick(g, out); ok {
			n.Add(1)
		}
		return head, body, ok
	}
	return serveLoop(t, &http1.Server{HTTP: Server(e), Keep: always, Quick: func() http1.Answerer { return counting }}), serveLoop(t, &http1.Server{HTTP: Server(e), Keep: always}), n
}

func serveLoop(t *testing.T, s *http1.Server) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-ended })
	return &client{address: l.Addr().String()}
}

// A client sends one request after another on a connection.
type client struct {
	address string
	c       net.Conn
	in      *bufio.Reader
}

// ask sends a request and reads its answer and body.
func (c *client) ask(t *testing.T, method, target string, fields []string) (*http.Response, []byte) {
	t.Helper()
	if c.c == nil {
		var err error
		if c.c, err = net.Dial("tcp", c.address); err != nil {
			t.Fatal(err)
		}
		c.in = bufio.NewReader(c.c)
	}
	fmt.Fprintf(c.c, "%s %s HTTP/1.1\r\n%s\r\n\r\n", method, target, strings.Join(fields, "\r\n"))
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s %q: %v", method, target, fields, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s %q: %v %v", method, target, fields, res.Header, err)
	}
	if res.Close {
		c.c.Close()
		c.c = nil
	}
	return res, body
}

// pages is an application with answers of many kinds.
func pages(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Etag", `"v1"`)
	body := strings.Repeat("<p>"+r.URL.Path+"?"+r.URL.RawQuery+"</p>\n", 300)
	switch r.URL.Path {
	case "/language":
		h.Set("Vary", "Accept-Language, Accept-Encoding")
		body = r.Header.Get("Accept-Language") + body
	case "/cookie":
		h.Set("Vary", "Cookie")
		body = r.Header.Get("Cookie") + body
	case "/told":
		h.Set("Vary", "X-Forwarded-Host, X-Forwarded-Proto")
		body = r.Header.Get("X-Forwarded-Proto") + r.Header.Get("X-Forwarded-Host") + body
	case "/private":
		h.Set("Cache-Control", "private")
	case "/picture":
		h.Set("Content-Type", "image/png")
		h["Link"] = []string{"</a>; rel=preload", "</b>; rel=preload"}
		h.Set("Cache-Status", "inner; hit")
	case "/large":
		body = strings.Repeat(body, 20)
	case "/small":
		body = "small"
	case "/empty":
		body = ""
	case "/untyped":
		h["Content-Type"] = nil
	case "/max-age":
		h.Set("Cache-Control", "max-age=3600")
	}
	h.Set("Date", began)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	io.WriteString(w, body)
}

var began = time.Now().UTC().Format(http.TimeFormat)

var passing = regexp.MustCompile(`ttl=\d+`)

// seen is what a client sees of an answer, but for what is of one request or one
// second.
func (c *client) seen(t *testing.T, method, target string, fields []string) string {
	t.Helper()
	res, body := c.ask(t, method, target, fields)
	if age := res.Header.Get("Age"); age != "" {
		res.Header.Set("Age", "some")
	}
	if id := res.Header.Get("X-Request-Id"); len(id) == requestIDChars {
		res.Header.Set("X-Request-Id", "some")
	}
	if d := res.Header.Get("Date"); d != began && len(d) == len(began) {
		res.Header.Set("Date", "some")
	}
	for i, v := range res.Header["Cache-Status"] {
		res.Header["Cache-Status"][i] = passing.ReplaceAllString(v, "ttl=some")
	}
	var head bytes.Buffer
	if err := res.Header.Write(&head); err != nil { // sorted
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n%s%d %v\n%x", res.Status, head.String(), res.ContentLength, res.TransferEncoding, body)
}

// TestQuickSame sends requests by both ways, and again: the answers are the same
// but for the order of their fields, whatever the site is set to.
func TestQuickSame(t *testing.T) {
	hosts := []string{"Host: www.example.com", "Host: WWW.example.COM:80", "Host: other.example"}
	extra := [][]string{nil, {"Accept-Encoding: gzip"}, {"Accept-Encoding: br;q=1, gzip;q=0.5"}, {"accept-encoding: zstd"}, {"Accept-Encoding:"},
		{"Accept-Encoding: gzip", "Accept-Encoding: br"}, {"Accept-Encoding: identity;q=0, *;q=0"}, {"Accept-Language: de", "Accept-Encoding: gzip, br"},
		{"Accept-Language: en, de"}, {"Cookie: a=b", "User-Agent: x", "Referer: http://a/?b"}, {"Cookie: a=b", "Cookie: c=d"}, {"Authorization: Basic eA=="},
		{"Range: bytes=2-5"}, {"If-None-Match: \"v1\""}, {"If-None-Match: \"v1-kgzip\"", "Accept-Encoding: gzip"}, {"If-Modified-Since: Sun, 22 Nov 2026 00:00:00 GMT"},
		{"Cache-Control: no-cache"}, {"Pragma: no-cache"}, {"Origin: https://page.example"}, {"Origin: https://evil.example"},
		{"X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: www.example.com", "X-Request-Id: 0123456789abcdef"},
		{"X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, {"Forwarded: for=192.0.2.1;proto=https;host=evil.example"},
		{"X-Original-Url: /other"}, {"X_Forwarded_Host: a"}, {"Te: trailers"}, {"Connection: close"}, {"Sec-Fetch-Mode: navigate"}}
	paths := []string{"/", "/?a=b", "/language", "/cookie", "/told", "/private", "/picture", "/large", "/small", "/empty", "/untyped",
		"/max-age", "/%7Ea/%C3%A4", "/account/x", "//double", "/.well-known/acme-challenge/x", "/daily/?/x"}
	for name, o := range map[string]Options{
		"plain":    {},
		"compress": {Answers: Answers{Compress: &compress.Options{Off: []string{"/account/"}}}},
		"all": {Answers: Answers{Compress: &compress.Options{}, CORS: []cors.Rule{{Path: "/", Origins: []string{"https://page.example", "https://b.example"}}}},
			Host: "www.example.com", HTTPS: HTTPS{HSTS: HSTS{MaxAge: time.Hour}}, Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			Limits: []Limit{{Name: "account", Path: "/account/", Rate: 1e6, Per: time.Second}}},
		"obey": {Cache: &respcache.Options{Obey: true, StatusKey: true}},
		"https": {Host: "www.example.com", Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, HTTPS: HTTPS{Redirect: true,
			Challenge: func(http.ResponseWriter, *http.Request) bool { return false }}},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := cachedSite(t, o, pages)
			quick, usual, n := bothWays(t, e)
			requests := 0
			for _, path := range paths {
				for i, fields := range extra {
					fields = append([]string{hosts[(i+len(path))%len(hosts)]}, fields...)
					for range 2 { // so that it is stored, and compressed
						usual.seen(t, "GET", path, fields)
					}
					for _, method := range []string{"GET", "GET", "HEAD"} {
						requests++
						before, got := usual.seen(t, method, path, fields), quick.seen(t, method, path, fields)
						if got == before {
							continue
						}
						// The form that is kept may have become ready in between.
						if d := cmp.Diff(usual.seen(t, method, path, fields), got); d != "" {
							t.Errorf("%s %s %q: the quick way differs: %s", method, path, fields, d)
						}
					}
				}
			}
			t.Logf("%d of %d answers came the quick way", n.Load(), requests)
			if n.Load() == 0 {
				t.Error("nothing was answered the quick way")
			}
		})
	}
}

// TestQuickCounted: a hit the quick way is counted and logged as any other, and
// ends with what ends it the usual way.
func TestQuickCounted(t *testing.T) {
	var log lockedBuffer
	e, asked := cachedSite(t, Options{AccessLog: &log}, pages)
	quick, _, n := bothWays(t, e)
	get := func(target string, fields ...string) string {
		res, _ := quick.ask(t, "GET", target, append([]string{"Host: www.example.com", "User-Agent: reader", "Referer: http://a.example/b?c"}, fields...))
		return res.Header.Get("Cache-Status") + " " + res.Status
	}
	for range 5 {
		get("/page?secret=1")
	}
	if n.Load() != 3 || asked.Load() != 1 { // fetched, learnt, then quick
		t.Errorf("%d quick, %d asked", n.Load(), asked.Load())
	}
	stats, _ := e.CacheStats()
	if s := e.Stats(); s.Requests != 5 || s.ByClass[2] != 5 || stats.Hits != 4 || stats.Misses != 1 {
		t.Errorf("counted %+v, %+v", s.ByClass, stats)
	}
	if _, err := e.Purge(respcache.Purge{Paths: []string{"/page"}}); err != nil {
		t.Fatal(err)
	}
	if got := get("/page?secret=1"); !strings.Contains(got, "fwd=uri-miss") {
		t.Errorf("after a purge: %s", got)
	}
	get("/page?secret=1")
	e.SetMaintenance(&Maintenance{})
	if got := get("/page?secret=1"); !strings.HasSuffix(got, "503 Service Unavailable") {
		t.Errorf("in maintenance: %s", got)
	}
	e.SetMaintenance(nil)
	before := n.Load()
	if get("/page?secret=1"); n.Load() != before+1 {
		t.Error("not quick after maintenance")
	}
	e.Close() // writes the log
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 9 {
		t.Fatalf("%d lines", len(lines))
	}
	shape := regexp.MustCompile(`^\{"time":"[^"]*","id":"[0-9a-f]{32}",|"(first_)?ms":[0-9.]+,?`)
	if d := cmp.Diff(shape.ReplaceAllString(lines[1], ""), shape.ReplaceAllString(lines[2], "")); d != "" || !strings.Contains(lines[2], `"cache":"hit"`) {
		t.Errorf("logged otherwise: %s", d)
	}
}

// TestQuickExpires: what is stale is not answered the quick way.
func TestQuickExpires(t *testing.T) {
	e, _ := cachedSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=1")
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "one")
	})
	quick, _, n := bothWays(t, e)
	host := []string{"Host: a"}
	for end := time.Now().Add(10 * time.Second); n.Load() == 0; {
		if quick.ask(t, "GET", "/", host); time.Now().After(end) {
			t.Fatal("nothing was quick")
		}
	}
	o := respcache.Question{Scheme: "http", Host: "a", Target: "/", Under: e.setup(), Field: func(string) []string { return nil }}
	if _, ok := e.setup().cache.Quick(&o, time.Now().Add(2*time.Second)); ok {
		t.Error("a stale answer was to be sent")
	}
	if _, ok := e.setup().cache.Quick(&o, time.Now().Add(-time.Second)); !ok {
		t.Error("a fresh one was not")
	}
}
