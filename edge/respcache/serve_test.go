package respcache

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestConditional(t *testing.T) {
	const date = "Mon, 02 Jan 2006 15:04:05 GMT"
	s := newSite(t, Options{}, numbered("Cache-Control", "max-age=60", "Etag", `W/"a,b"`, "Last-Modified", date, "Content-Language", "en"))
	s.get("/")
	for _, c := range []struct {
		header, value string
		status        int
	}{
		{"If-None-Match", `"a,b"`, 304}, {"If-None-Match", `"x", W/"a,b"`, 304}, {"If-None-Match", "*", 304}, {"If-None-Match", `"a"`, 200},
		{"If-None-Match", `a,b`, 200}, {"If-None-Match", `"a,b`, 200},
		{"If-Modified-Since", date, 304}, {"If-Modified-Since", "Mon, 02 Jan 2006 15:04:04 GMT", 200}, {"If-Modified-Since", "yesterday", 200},
	} {
		a := s.get("/", c.header, c.value)
		if a.StatusCode != c.status {
			t.Errorf("%s: %s: %d", c.header, c.value, a.StatusCode)
		}
		if c.status == 304 && (a.body != "" || a.Header["Content-Language"] != nil || a.Header.Get("Etag") == "" || a.Header.Get("Cache-Control") == "") {
			t.Errorf("304 with %v", a.Header)
		}
	}
	if a := s.get("/", "If-None-Match", `"x"`, "If-Modified-Since", date); a.StatusCode != 200 {
		t.Errorf("If-Modified-Since beside If-None-Match counted: %d", a.StatusCode)
	}
	if s.fetches() != 1 {
		t.Errorf("%d requests", s.fetches())
	}
	// What is not stored yet is fetched for all, and the client has its 304.
	if a := s.get("/other", "If-None-Match", `"a,b"`); a.StatusCode != 304 || s.last().Header["If-None-Match"] != nil {
		t.Errorf("%d", a.StatusCode)
	}
	if a := s.get("/other"); a.body != "2" {
		t.Errorf("got %q", a.body)
	}
}

func TestHead(t *testing.T) {
	s := newSite(t, Options{}, numbered("Cache-Control", "max-age=60"))
	if a := s.do("HEAD", "/"); a.StatusCode != 200 || s.last().Method != "HEAD" {
		t.Errorf("%d", a.StatusCode)
	}
	s.get("/")
	a := s.do("HEAD", "/")
	if a.body != "" || a.Header.Get("Content-Length") != "1" || s.fetches() != 2 || !strings.HasPrefix(a.status(), "dayfly; hit") {
		t.Errorf("%q %v", a.body, a.Header)
	}
}

func TestRanges(t *testing.T) {
	s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "0123456789")
	})
	s.get("/")
	for _, c := range []struct {
		value, ifRange string
		status         int
		body           string
	}{
		{"bytes=2-4", "", 206, "234"}, {"bytes=-3", "", 206, "789"}, {"bytes=8-", "", 206, "89"}, {"bytes=20-", "", 416, ""},
		{"bytes=2-4", `"a"`, 206, "234"}, {"bytes=2-4", `"b"`, 200, "0123456789"}, {"lines=2-4", "", 416, ""},
	} {
		h := []string{"Range", c.value}
		if c.ifRange != "" {
			h = append(h, "If-Range", c.ifRange)
		}
		a := s.get("/", h...)
		if a.StatusCode != c.status || c.body != "" && a.body != c.body {
			t.Errorf("%s: %d %q", c.value, a.StatusCode, a.body)
		}
	}
	a := s.get("/", "Range", "bytes=0-1,8-9")
	kind, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/byteranges" {
		t.Fatalf("%s %v", a.Header.Get("Content-Type"), err)
	}
	parts := multipart.NewReader(strings.NewReader(a.body), params["boundary"])
	for _, want := range []string{"01", "89"} {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(p); string(b) != want {
			t.Errorf("a part is %q", b)
		}
	}
	if s.fetches() != 1 {
		t.Errorf("%d requests", s.fetches())
	}
}

// TestInvalidate: a successful change removes what is at its address and at
// those its answer points to, of this host only.
func TestInvalidate(t *testing.T) {
	for _, c := range []struct {
		name, method, location string
		status                 int
		gone                   map[string]bool
	}{
		{"POST", "POST", "", 200, map[string]bool{"/": true}},
		{"a redirect", "POST", "/a", 303, map[string]bool{"/": true, "/a": true}},
		{"absolute", "PUT", "http://www.example.com/a", 201, map[string]bool{"/": true, "/a": true}},
		{"another host", "PUT", "http://other.example/a", 201, map[string]bool{"/": true}},
		{"failed", "DELETE", "/a", 500, nil},
		{"refused", "POST", "/a", 403, nil},
		{"safe", "OPTIONS", "/a", 200, nil},
		{"unknown", "FROB", "", 204, map[string]bool{"/": true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == c.method {
					if c.location != "" {
						w.Header().Set("Location", c.location)
					}
					w.WriteHeader(c.status)
					return
				}
				w.Header().Set("Cache-Control", "max-age=60")
				io.WriteString(w, "hello")
			})
			pages := []string{"/", "/a", "/b", "http://other.example/a"}
			for _, p := range pages {
				s.get(p)
			}
			s.do(c.method, "/")
			for _, p := range pages {
				n := s.fetches()
				s.get(p)
				if gone := s.fetches() > n; gone != c.gone[p] {
					t.Errorf("%s is gone: %v", p, gone)
				}
			}
		})
	}
}

// TestHidden: what is for this cache alone is not passed on, stored or not.
func TestHidden(t *testing.T) {
	for _, control := range []string{"max-age=60", "no-store"} {
		s := newSite(t, Options{}, numbered("Dayfly-Cache-Control", control, "Surrogate-Key", "a b", "Cache-Tag", "c"))
		for range 2 {
			a := s.get("/")
			for _, name := range []string{"Dayfly-Cache-Control", "Surrogate-Key", "Cache-Tag"} {
				if a.Header[name] != nil {
					t.Errorf("%s: %s is passed on", control, name)
				}
			}
		}
	}
	s := newSite(t, Options{KeepKeys: true, Targets: []string{"cdn-cache-control"}}, numbered("CDN-Cache-Control", "max-age=60", "Surrogate-Key", "a b"))
	s.get("/")
	if a := s.get("/"); a.body != "1" || a.Header["Surrogate-Key"] == nil || a.Header["Cdn-Cache-Control"] == nil {
		t.Errorf("%s %v", a.body, a.Header)
	}
}

// TestPartFetchesWhole: a range of what is not stored passes, and the whole is
// fetched beside.
func TestPartFetchesWhole(t *testing.T) {
	s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader("0123456789"))
	})
	if a := s.get("/", "Range", "bytes=1-2"); a.StatusCode != 206 || a.body != "12" {
		t.Fatalf("%d %q", a.StatusCode, a.body)
	}
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Millisecond) {
		a := s.get("/", "Range", "bytes=3-4")
		if a.StatusCode != 206 || a.body != "34" {
			t.Fatalf("%d %q", a.StatusCode, a.body)
		}
		if strings.HasPrefix(a.status(), "dayfly; hit") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: the whole is not stored", a.status())
		}
	}
}
