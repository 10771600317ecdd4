package edge

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

var css = []byte(strings.Repeat("body { color: rebeccapurple; margin: 0 auto }\n", 200))

func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// staticSite serves a folder with a few files, compressed.
func staticSite(t testing.TB, o Options) (*site, string) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "css/app.css", css)
	write(t, dir, "small.txt", []byte("small"))
	write(t, dir, "LICENSE", []byte("do what you like"))
	write(t, dir, "with space.txt", []byte("spaced"))
	write(t, dir, "noise.png", []byte("\x89PNG"+string(css)))
	write(t, dir, ".env", []byte("SECRET=1"))
	write(t, dir, ".git/config", []byte("secret"))
	write(t, filepath.Dir(dir), "outside.txt", []byte("outside"))
	t.Cleanup(func() { os.Remove(filepath.Join(filepath.Dir(dir), "outside.txt")) })
	os.Symlink("../outside.txt", filepath.Join(dir, "link.txt"))
	os.Symlink("small.txt", filepath.Join(dir, "alias.txt"))
	o.Static.Dir = dir
	s := newSite(t, o)
	awaitCompressed(t, s)
	return s, dir
}

func awaitCompressed(t testing.TB, s *site) {
	t.Helper()
	eventually(t, "compressed", func() bool {
		for _, f := range s.setup().static.table.Load().byName {
			if f.compressible && !f.compressed.Load() {
				return false
			}
		}
		return true
	})
}

func TestStaticAddresses(t *testing.T) {
	s, _ := staticSite(t, Options{})
	m := s.StaticManifest()
	var names []string
	for name := range m {
		names = append(names, name)
	}
	if len(names) != 6 {
		t.Errorf("served are %q", names)
	}
	for name, form := range map[string]string{
		"css/app.css": `^/static/css/app\.[0-9a-f]{16}\.css$`, "LICENSE": `^/static/LICENSE\.[0-9a-f]{16}$`,
		"with space.txt": `^/static/with%20space\.[0-9a-f]{16}\.txt$`,
	} {
		if !regexp.MustCompile(form).MatchString(m[name]) {
			t.Errorf("%s has address %q", name, m[name])
		}
	}
	for _, tc := range []struct {
		path, contentType, cache, body string
	}{
		{m["css/app.css"], "text/css; charset=utf-8", "public, max-age=31536000, immutable", string(css)},
		{"/static/css/app.css", "text/css; charset=utf-8", "no-cache", string(css)},
		{m["LICENSE"], "text/plain; charset=utf-8", "public, max-age=31536000, immutable", "do what you like"},
		{m["with space.txt"], "text/plain; charset=utf-8", "public, max-age=31536000, immutable", "spaced"},
		{"/static/alias.txt", "text/plain; charset=utf-8", "no-cache", "small"},
	} {
		res, body := s.get(t, tc.path)
		got := []string{res.Header.Get("Content-Type"), res.Header.Get("Cache-Control"), body, res.Header.Get("X-Content-Type-Options")}
		if diff := cmp.Diff([]string{tc.contentType, tc.cache, tc.body, "nosniff"}, got); diff != "" || res.StatusCode != 200 {
			t.Errorf("%s answered %d: %s", tc.path, res.StatusCode, diff)
		}
		head, none := s.do(t, "HEAD", tc.path, nil)
		if head.StatusCode != 200 || none != "" || head.ContentLength != int64(len(tc.body)) {
			t.Errorf("HEAD %s answered %d, length %d", tc.path, head.StatusCode, head.ContentLength)
		}
	}
	if res, _ := s.do(t, "POST", "/static/small.txt", nil); res.StatusCode != 405 {
		t.Errorf("POST answered %d", res.StatusCode)
	}
}

func TestStaticKeepsIn(t *testing.T) {
	s, _ := staticSite(t, Options{})
	for _, path := range []string{
		"/static/", "/static/css", "/static/css/", "/static/.env", "/static/.git/config", "/static/link.txt", "/static/none",
		"/static/../outside.txt", "/static/..%2foutside.txt", "/static/%2e%2e/outside.txt", "/static/css/../small.txt",
		"/static//small.txt", "/static/./small.txt", "/static/small.txt/", "/static/small.txt%00", `/static/css\app.css`,
		"/static/css/app.0000000000000000.css", "/static/SMALL.TXT",
	} {
		c, br := s.raw(t, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(path, err)
		}
		body, _ := io.ReadAll(res.Body)
		c.Close()
		if res.StatusCode != 404 || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s answered %d %q", path, res.StatusCode, body)
		}
	}
}

func TestStaticEncodings(t *testing.T) {
	s, _ := staticSite(t, Options{})
	plain, _ := s.get(t, "/static/css/app.css")
	tags := map[string]bool{plain.Header.Get("Etag"): true}
	decode := map[string]func([]byte) ([]byte, error){
		"gzip": func(b []byte) ([]byte, error) {
			r, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		},
		"br": func(b []byte) ([]byte, error) { return io.ReadAll(brotli.NewReader(bytes.NewReader(b))) },
		"zstd": func(b []byte) ([]byte, error) {
			r, err := zstd.NewReader(nil)
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return r.DecodeAll(b, nil)
		},
	}
	for enc, dec := range decode {
		res, body := s.get(t, "/static/css/app.css", "Accept-Encoding", enc)
		got, err := dec([]byte(body))
		if err != nil || !bytes.Equal(got, css) || res.Header.Get("Content-Encoding") != enc {
			t.Errorf("%s: encoding %q, %d bytes, %v", enc, res.Header.Get("Content-Encoding"), len(got), err)
		}
		if res.Header.Get("Vary") != "Accept-Encoding" || len(body) >= len(css) {
			t.Errorf("%s: Vary %q, %d bytes", enc, res.Header.Get("Vary"), len(body))
		}
		tag := res.Header.Get("Etag")
		if tags[tag] || strings.HasPrefix(tag, "W/") || tag == "" {
			t.Errorf("%s: ETag %s is weak or that of another encoding", enc, tag)
		}
		tags[tag] = true
		again, none := s.get(t, "/static/css/app.css", "Accept-Encoding", enc, "If-None-Match", `"other", W/`+tag)
		if again.StatusCode != 304 || none != "" || again.Header.Get("Etag") != tag || again.Header.Get("Vary") == "" || again.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: revalidation answered %d %v", enc, again.StatusCode, again.Header)
		}
	}
	if plain.Header.Get("Vary") != "Accept-Encoding" {
		t.Error("the plain variant has no Vary")
	}
	// What is small or compressed already has one form.
	for _, name := range []string{"small.txt", "noise.png"} {
		res, _ := s.get(t, "/static/"+name, "Accept-Encoding", "br, gzip, zstd")
		if res.Header.Get("Content-Encoding") != "" || res.Header.Get("Vary") != "" {
			t.Errorf("%s: %v", name, res.Header)
		}
	}
	// A CDN that speaks HTTP/1.0 gets it compressed as well (row B2).
	_, br := s.raw(t, "GET /static/css/app.css HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
	if res, err := http.ReadResponse(br, nil); err != nil || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("HTTP/1.0: %v %v", res, err)
	}
}

func TestStaticRanges(t *testing.T) {
	s, _ := staticSite(t, Options{})
	res, _ := s.get(t, "/static/css/app.css")
	tag := res.Header.Get("Etag")
	if res.Header.Get("Accept-Ranges") != "bytes" {
		t.Error("ranges are not offered")
	}
	n := len(css)
	for _, tc := range []struct {
		rng, ifRange string
		status       int
		contentRange string
		body         string
	}{
		{"bytes=0-3", "", 206, fmt.Sprintf("bytes 0-3/%d", n), "body"},
		{"bytes=-3", "", 206, fmt.Sprintf("bytes %d-%d/%d", n-3, n-1, n), string(css[n-3:])},
		{"bytes=4-5", tag, 206, fmt.Sprintf("bytes 4-5/%d", n), " {"},
		{"bytes=4-5", `"old"`, 200, "", string(css)},
		{"bytes=999999-", "", 416, fmt.Sprintf("bytes */%d", n), ""},
	} {
		res, body := s.get(t, "/static/css/app.css", "Range", tc.rng, "Accept-Encoding", "gzip, br", "If-Range", tc.ifRange)
		if res.StatusCode != tc.status || res.Header.Get("Content-Range") != tc.contentRange || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v", tc.rng, res.StatusCode, res.Header)
		}
		if tc.status != 416 && body != tc.body {
			t.Errorf("%s: body %q", tc.rng, body)
		}
	}
}

func TestStaticChanges(t *testing.T) {
	manifest := filepath.Join(t.TempDir(), "manifest.json")
	s, dir := staticSite(t, Options{Static: Static{Rescan: 5 * time.Millisecond, ManifestFile: manifest}})
	read := func() map[string]string {
		data, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]string
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatalf("%v in %q", err, data)
		}
		return m
	}
	before := s.StaticManifest()
	if diff := cmp.Diff(before, read()); diff != "" {
		t.Fatal(diff)
	}
	write(t, dir, "css/app.css", append(css, "p { color: red }"...))
	write(t, dir, "new.js", []byte("1"))
	os.Remove(filepath.Join(dir, "LICENSE"))
	eventually(t, "change seen", func() bool {
		m := s.StaticManifest()
		return m["css/app.css"] != before["css/app.css"] && m["new.js"] != "" && m["LICENSE"] == ""
	})
	eventually(t, "manifest written", func() bool { return cmp.Equal(read(), s.StaticManifest()) })
	if res, body := s.get(t, before["css/app.css"]); res.StatusCode != 200 || body != string(css) {
		t.Errorf("the old address answers %d, %d bytes", res.StatusCode, len(body))
	}
	if _, body := s.get(t, s.StaticManifest()["css/app.css"]); !strings.HasSuffix(body, "red }") {
		t.Error("the new address has the old content")
	}
	if res, _ := s.get(t, before["LICENSE"]); res.StatusCode != 200 {
		t.Errorf("what pages in flight refer to answers %d", res.StatusCode)
	}
	if res, _ := s.get(t, "/static/LICENSE"); res.StatusCode != 404 {
		t.Errorf("a removed file answers %d", res.StatusCode)
	}
	awaitCompressed(t, s)
	if res, _ := s.get(t, "/static/css/app.css", "Accept-Encoding", "br"); res.Header.Get("Content-Encoding") != "br" {
		t.Error("changed content is not compressed")
	}
}

func TestStaticBounds(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		write(t, dir, fmt.Sprintf("f%d.txt", i), make([]byte, 100))
	}
	for _, tc := range []struct {
		opt  Static
		want int
	}{{Static{MaxFiles: 3}, 3}, {Static{MaxBytes: 250}, 2}, {Static{}, 5}} {
		tc.opt.Dir = dir
		e, err := New(Options{Static: tc.opt})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(e.StaticManifest()); got != tc.want {
			t.Errorf("%+v: %d files", tc.opt, got)
		}
		e.Close()
	}
	if _, err := New(Options{Static: Static{Dir: filepath.Join(dir, "none")}}); err == nil || !strings.Contains(err.Error(), "static folder") {
		t.Errorf("a folder that is not there: %v", err)
	}
}
