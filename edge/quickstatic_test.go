package edge

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/edge/cors"
)

// TestQuickStaticSame sends requests for files by both ways: the answers are the
// same but for the order of their fields, whatever the site is set to.
func TestQuickStaticSame(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"app.css": strings.Repeat("p { color: red }\n", 400), "small.txt": "small", "empty.txt": "", "a b.svg": "<svg/>"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hosts := []string{"Host: www.example.com", "Host: example.com", "Host: a_b..c", "Host: [::1]:80", "Host: other.example"}
	extra := []string{"", "Accept-Encoding: gzip", "Accept-Encoding: br;q=1, gzip;q=0.5", "accept-encoding: zstd", "Accept-Encoding:",
		"Accept-Encoding: gzip\r\nAccept-Encoding: br", "Accept-Encoding: identity;q=0, *;q=0", "Cookie: a=b\r\nUser-Agent: x", "Range: bytes=2-5", "If-None-Match: *",
		"If-Match: \"other\"", "If-Modified-Since: Sun, 22 Nov 2026 00:00:00 GMT", "Cache-Control: no-cache", "Origin: https://page.example", "Connection: close",
		"X-Forwarded-Proto: https\r\nX-Forwarded-Host: example.com", "X-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example.com", "Authorization: Basic eA=="}
	for name, o := range map[string]Options{
		"plain": {},
		"click": {Clicks: map[string]Campaign{"static": {"a", "b", "c"}, "daily": {"a", "b", "c"}}, ClickFile: filepath.Join(t.TempDir(), "clicks")},
		"limit": {Limits: []Limit{{Name: "some", Path: "/static/small.txt", Rate: 1e6, Per: time.Second}}},
		"cors":  {Answers: Answers{CORS: []cors.Rule{{Path: "/static/", Origins: []string{"*"}}}}},
		"https": {Host: "www.example.com", Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, HTTPS: HTTPS{Redirect: true, HSTS: HSTS{MaxAge: time.Hour}}},
		"apex":  {Host: "www.example.com", Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, HTTPS: HTTPS{HSTS: HSTS{MaxAge: time.Hour}}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Static = Static{Dir: dir, Prefix: "/static/"}
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { e.Close() })
			for _, f := range e.setup().static.table.Load().byName {
				eventually(t, "compressed", func() bool { return !f.compressible || f.compressed.Load() })
			}
			paths := []string{"/static/", "/static/app.css", "/static/app.css?v=1", "/static/app.css?/x", "/static/small.txt", "/static/empty.txt", "/static/a%20b.svg",
				"/static/./app.css", "/static/%61pp.css", "/static/../static/app.css", "/static/none.css", "/static/app.0000000000000000.css"}
			for _, address := range e.StaticManifest() {
				paths = append(paths, address)
			}
			quick, usual, n := bothWays(t, e)
			requests := 0
			for _, path := range paths {
				for i, fields := range extra {
					f := []string{hosts[(i+len(path))%len(hosts)]}
					if fields != "" {
						f = append(f, strings.Split(fields, "\r\n")...)
					}
					for _, method := range []string{"GET", "HEAD"} {
						requests++
						if d := cmp.Diff(usual.seen(t, method, path, f), quick.seen(t, method, path, f)); d != "" {
							t.Errorf("%s %s %q: the quick way differs: %s", method, path, f, d)
						}
					}
				}
			}
			t.Logf("%d of %d answers came the quick way", n.Load(), requests)
			if name != "cors" && n.Load() == 0 || name == "cors" && n.Load() > 0 {
				t.Errorf("%d were answered the quick way", n.Load())
			}
		})
	}
}

// TestQuickStaticCounted: a file the quick way is counted and logged as any other.
func TestQuickStaticCounted(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	e, err := New(Options{Static: Static{Dir: dir, Prefix: "/static/"}, AccessLog: &log})
	if err != nil {
		t.Fatal(err)
	}
	quick, usual, n := bothWays(t, e)
	for _, c := range []*client{quick, usual} {
		if res, body := c.ask(t, http.MethodGet, "/static/a.txt?q", []string{"Host: a", "User-Agent: reader"}); res.StatusCode != 200 || string(body) != "text" {
			t.Errorf("%d %q", res.StatusCode, body)
		}
	}
	if s := e.Stats(); n.Load() != 1 || s.Requests != 2 || s.ByClass[2] != 2 {
		t.Errorf("%d quick; counted %+v", n.Load(), s.ByClass)
	}
	e.Close() // writes the log
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, l := range lines {
		_, l, _ = strings.Cut(l, `,"client"`)
		before, after, _ := strings.Cut(l, `,"ms":`)
		_, after, _ = strings.Cut(after, `,"agent"`)
		lines[i] = before + after
	}
	if lines[0] != lines[1] || !strings.Contains(lines[0], `"bytes":4`) {
		t.Errorf("logged otherwise: %s", cmp.Diff(lines[1], lines[0]))
	}
}
