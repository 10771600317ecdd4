package respcache

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// headersOf reads "Name: value" lines.
func headersOf(text string) []string {
	var list []string
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			list = append(list, name, value)
		}
	}
	return list
}

// TestStored asks twice and looks whether the second answer is the first one's.
func TestStored(t *testing.T) {
	for _, c := range []struct {
		name, answer, request string
		stored                bool
	}{
		{"not marked", "Etag: \"a\"", "", false},
		{"not marked, with a date", "Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT", "", false},
		{"max-age", "Cache-Control: max-age=60", "", true},
		{"max-age=0", "Cache-Control: max-age=0", "", false},
		{"s-maxage before max-age", "Cache-Control: max-age=0, s-maxage=60", "", true},
		{"s-maxage=0 before max-age", "Cache-Control: max-age=60, s-maxage=0", "", false},
		{"the first of two", "Cache-Control: max-age=0, max-age=60", "", false},
		{"quoted", `Cache-Control: max-age="60"`, "", true},
		{"no number", "Cache-Control: max-age=60s", "", false},
		{"a sign", "Cache-Control: max-age=+60", "", false},
		{"more than a number holds", "Cache-Control: max-age=99999999999999999999999", "", true},
		{"in another directive's text", `Cache-Control: x="max-age=60"`, "", false},
		{"no-store in another line", "Cache-Control: max-age=60\nCache-Control: No-Store", "", false},
		{"private", "Cache-Control: private, max-age=60", "", false},
		{"no-cache", "Cache-Control: no-cache, max-age=60", "", false},
		{"no-store", "Cache-Control: no-store, max-age=60", "", false},
		{"must-understand", "Cache-Control: must-understand, no-store, max-age=60", "", true},
		{"Expires", "Expires: Wed, 02 Jan 2120 15:04:05 GMT", "", true},
		{"Expires of two minds", "Expires: Wed, 02 Jan 2120 15:04:05 GMT\nExpires: 0", "", false},
		{"Expires that is none", "Expires: 0", "", false},
		{"max-age before Expires", "Expires: 0\nCache-Control: max-age=60", "", true},
		{"too old", "Cache-Control: max-age=60\nAge: 60", "", false},
		{"Vary: *", "Cache-Control: max-age=60\nVary: accept, *", "", false},
		{"Set-Cookie", "Cache-Control: public, s-maxage=60\nSet-Cookie: a=b", "", false},
		{"Set-Cookie that is named", "Cache-Control: max-age=60, no-cache=\"set-cookie\"\nSet-Cookie: a=b", "", true},
		{"for a request with Cookie", "Cache-Control: max-age=60", "Cookie: a=b", false},
		{"public for a request with Cookie", "Cache-Control: public, max-age=60", "Cookie: a=b", true},
		{"for a request with Authorization", "Cache-Control: max-age=60", "Authorization: Basic YTpi", false},
		{"public for it", "Cache-Control: public, max-age=60", "Authorization: Basic YTpi", true},
		{"s-maxage for it", "Cache-Control: s-maxage=60", "Authorization: Basic YTpi", true},
		{"must-revalidate for it", "Cache-Control: must-revalidate, max-age=60", "Authorization: Basic YTpi", true},
		{"trailers", "Cache-Control: max-age=60\nTrailer: X-Sum", "", false},
		{"a targeted field", "Dayfly-Cache-Control: max-age=60\nCache-Control: no-store", "", true},
		{"a targeted field that forbids", "Dayfly-Cache-Control: no-store\nCache-Control: max-age=60", "", false},
		{"a targeted field that is malformed", "Dayfly-Cache-Control: max-age=60,\nCache-Control: no-store", "", false},
		{"one for others", "CDN-Cache-Control: max-age=60", "", false},
		{"no precondition", "Cache-Control: max-age=60", "If-Match: *", false},
		{"nothing of Connection", "Cache-Control: max-age=60", "Connection: x-a", false},
		{"a client that wants it anew", "Cache-Control: max-age=60", "Cache-Control: no-cache", true},
		{"too many keys", "Cache-Control: max-age=60\nSurrogate-Key: " + strings.Repeat("k ", 1000) + longKeys(1001), "", false},
		{"a header too large", "Cache-Control: max-age=60\nX-A: " + strings.Repeat("a", maxHeader), "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, Options{}, numbered(headersOf(c.answer)...))
			one, two := s.get("/", headersOf(c.request)...), s.get("/", headersOf(c.request)...)
			if stored := one.body == two.body; stored != c.stored {
				t.Errorf("stored: %v; the second says %q", stored, two.status())
			}
			if two.body == "1" && two.Header["Set-Cookie"] != nil {
				t.Error("a cookie came from the cache")
			}
		})
	}
}

func longKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" k" + strings.Repeat("x", i%7) + time.Duration(i).String())
	}
	return b.String()
}

// TestNotForOthers: what was stored for a request without credentials is not
// given to one with Authorization unless it says so.
func TestNotForOthers(t *testing.T) {
	s := newSite(t, Options{}, numbered("Cache-Control", "max-age=60"))
	s.get("/")
	if a := s.get("/", "Authorization", "Basic YTpi"); a.body != "2" {
		t.Errorf("got %s (%s)", a.body, a.status())
	}
	if a := s.get("/", "Cookie", "a=b"); a.body != "1" {
		t.Errorf("with a cookie got %s (%s)", a.body, a.status())
	}
}

// TestKeys: nothing of these has the answer of another.
func TestKeys(t *testing.T) {
	s := newSite(t, Options{}, numbered("Cache-Control", "max-age=60"))
	seen := map[string]string{}
	urls := []string{"http://a.example/x", "https://a.example/x", "http://b.example/x", "http://a.example:8080/x", "http://a.example/x?",
		"http://a.example/x?a", "http://a.example/x?a=", "http://a.example/x?b&a", "http://a.example/x?a&b", "http://a.example/X", "http://a.example/x/",
		"http://a.example/%78", "http://a.example//x", "http://a.example/x?a%3D", "http://a.example/x%3Fa", "http://a.example/./x"}
	for range 2 {
		for _, url := range urls {
			body := s.get(url).body
			if other, ok := seen[body]; ok && other != url {
				t.Errorf("%s has the answer of %s", url, other)
			}
			seen[body] = url
		}
	}
	if len(seen) != len(urls) {
		t.Errorf("%d answers for %d addresses", len(seen), len(urls))
	}
	// These are one.
	for _, url := range []string{"http://A.example/x", "http://a.example:80/x"} {
		if body := s.get(url).body; body != "1" {
			t.Errorf("%s got answer %s", url, body)
		}
	}
}

// TestFatGet: a GET with a body is neither answered from the cache nor stored.
func TestFatGet(t *testing.T) {
	s := newSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		b := make([]byte, 100)
		n, _ := r.Body.Read(b)
		w.Write(append([]byte("said "), b[:n]...))
	})
	r, err := http.NewRequest("GET", "http://www.example.com/", strings.NewReader("evil"))
	if err != nil {
		t.Fatal(err)
	}
	w := &discard{header: http.Header{}}
	s.ServeHTTP(w, r)
	if a := s.get("/"); a.body != "said " {
		t.Errorf("everybody else got %q", a.body)
	}
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// TestFreshness goes through the life of an answer.
func TestFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{}, numbered("Cache-Control", "max-age=60", "Age", "10"))
		s.get("/")
		time.Sleep(49 * time.Second)
		if a := s.get("/"); a.body != "1" || a.Header.Get("Age") != "59" || a.status() != "dayfly; hit; ttl=1" {
			t.Errorf("%s, Age %s, %s", a.body, a.Header.Get("Age"), a.status())
		}
		time.Sleep(time.Second)
		if a := s.get("/"); a.body != "2" || a.status() != "dayfly; fwd=stale; fwd-status=200; stored; ttl=50" {
			t.Errorf("%s, %s", a.body, a.status())
		}
		s.Close()
	})
}

// TestObey: a request's directives count where that is asked for.
func TestObey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Options{Obey: true}, numbered("Cache-Control", "max-age=60"))
		want := func(body, directives string) {
			t.Helper()
			if a := s.get("/", "Cache-Control", directives); a.body != body {
				t.Errorf("%s: got %q (%s), not %s", directives, a.body, a.status(), body)
			}
		}
		if a := s.get("/", "Cache-Control", "only-if-cached"); a.StatusCode != 504 || s.fetches() != 0 {
			t.Errorf("only-if-cached: %d", a.StatusCode)
		}
		want("1", "max-age=100")
		time.Sleep(10 * time.Second)
		want("1", "max-age=10")
		want("2", "max-age=9")
		want("3", "no-cache")
		time.Sleep(10 * time.Second)
		want("3", "min-fresh=49")
		want("4", "min-fresh=51")
		want("5", "no-store")
		want("4", "only-if-cached")
		time.Sleep(70 * time.Second)
		want("4", "max-stale=11")
		want("4", "max-stale")
		want("6", "max-stale=9")
		s.Close()
	})
}
