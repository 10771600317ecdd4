package edge

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/edge/respcache"
)

// cachedSite is an edge with a response cache in front of an application, and
// how often that was asked.
func cachedSite(t *testing.T, o Options, application http.HandlerFunc) (e *Edge, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		application(w, r)
	}))
	t.Cleanup(backend.Close)
	if o.Cache == nil {
		o.Cache = &respcache.Options{}
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Add(Target{Name: "web.1", URL: backend.URL}); err != nil {
		t.Fatal(err)
	}
	if err := e.Await(t.Context(), "web.1"); err != nil {
		t.Fatal(err)
	}
	asked.Store(0)
	return e, asked
}

// visit sends a GET with headers, given as name, value, ….
func visit(t *testing.T, h http.Handler, url string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest("GET", url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func textOf(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestCacheUnkeyed sends each header that applications are known to build
// addresses from, from a peer that is not trusted: what an attacker has cached
// is what everybody else gets, so nothing of it may show.
func TestCacheUnkeyed(t *testing.T) {
	e, asked := cachedSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		fmt.Fprintf(w, "<base href=%q>", r.Header.Get("X-Forwarded-Proto")+"://"+r.Header.Get("X-Forwarded-Host")+":"+r.Header.Get("X-Forwarded-Port"))
		for _, name := range []string{"X-Forwarded-Prefix", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Real-Ip",
			"X-Url-Scheme", "Front-End-Https", "Proxy", "X-Request-Id"} {
			if v := r.Header.Get(name); strings.Contains(v, "evil") {
				fmt.Fprintf(w, "%s: %s", name, v)
			}
		}
	})
	const want = `<base href="http://www.example.com:80">`
	for i, header := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Scheme",
		"X-Forwarded-Server", "X-Forwarded-Ssl", "X-Real-Ip", "X-Url-Scheme", "Front-End-Https", "Proxy", "X-Request-Id",
		"X_Forwarded_Host", "X-Forwarded_Host", "Forwarded"} {
		url := fmt.Sprintf("http://www.example.com/%d", i)
		value := "evil.example"
		if header == "Forwarded" {
			value = "host=evil.example;proto=https"
		}
		if got := textOf(t, visit(t, e, url, header, value)); got != want {
			t.Errorf("%s: the attacker got %s", header, got)
		}
		before := asked.Load()
		if got := textOf(t, visit(t, e, url)); got != want {
			t.Errorf("%s: everybody else got %s", header, got)
		}
		if asked.Load() != before && !strings.Contains(header, "_") { // with one, nothing is stored
			t.Errorf("%s: the second request was not answered from the cache", header)
		}
	}
}

// TestCacheUnkeyedAddress sends headers that some frameworks take the address
// from. The edge passes them on, so an application that heeds them from
// anybody must not: a request that has one is not cached.
func TestCacheUnkeyedAddress(t *testing.T) {
	e, _ := cachedSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		io.WriteString(w, "page "+r.URL.Path+r.Header.Get("X-Original-Url")+r.Header.Get("X-Rewrite-Url")+r.Header.Get("X-Http-Method-Override")+r.Header.Get("X-Host"))
	})
	for i, header := range []string{"X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Host", "X_Original_Url"} {
		url := fmt.Sprintf("http://www.example.com/%d", i)
		textOf(t, visit(t, e, url, header, "/admin"))
		if got := textOf(t, visit(t, e, url)); got != fmt.Sprintf("page /%d", i) {
			t.Errorf("%s: everybody else got %s", header, got)
		}
	}
}

// TestCacheTrusted: what a trusted proxy says of host and scheme tells sites
// apart, as the application does.
func TestCacheTrusted(t *testing.T) {
	e, asked := cachedSite(t, Options{Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "X-Forwarded-Proto")
		io.WriteString(w, r.Header.Get("X-Forwarded-Proto")+"://"+r.Header.Get("X-Forwarded-Host"))
	})
	for range 2 { // the second time from the cache
		for _, proto := range []string{"http", "https"} {
			for _, host := range []string{"a.example", "b.example"} {
				got := textOf(t, visit(t, e, "http://inner/", "X-Forwarded-Proto", proto, "X-Forwarded-Host", host))
				if want := proto + "://" + host; got != want {
					t.Errorf("got %s, not %s", got, want)
				}
			}
		}
	}
	if n := asked.Load(); n != 4 {
		t.Errorf("%d requests reached the application, not 4", n)
	}
}

// TestCacheDeception asks for a page of one person under names that look like
// files: nothing is cached that the application did not mark.
func TestCacheDeception(t *testing.T) {
	e, _ := cachedSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("default") { // a framework that marks what looks like a file
			w.Header().Set("Cache-Control", "max-age=3600")
		}
		c, err := r.Cookie("session")
		if err != nil {
			io.WriteString(w, "please log in")
			return
		}
		io.WriteString(w, "the secrets of "+c.Value)
	})
	for _, path := range []string{"/account/x.css", "/account;x.css", "/account%2fx.css", "/account/%2e%2e/static/x.js", "/account/x.css?default",
		"/account%0a.css", "/account%23.css?default", "/account/..%2frobots.txt"} {
		url := "http://www.example.com" + path
		if got := textOf(t, visit(t, e, url, "Cookie", "session=victim")); got != "the secrets of victim" {
			t.Fatalf("%s: the victim got %s", path, got)
		}
		if got := textOf(t, visit(t, e, url)); got != "please log in" {
			t.Errorf("%s: the attacker got %s", path, got)
		}
	}
}

// TestCacheIDs: an answer from the cache carries the id of its own request, and
// the access log says where it came from.
func TestCacheIDs(t *testing.T) {
	var log bytes.Buffer
	e, _ := cachedSite(t, Options{AccessLog: &log}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "hello")
	})
	one, two := visit(t, e, "http://www.example.com/"), visit(t, e, "http://www.example.com/")
	a, b := one.Header["X-Request-Id"], two.Header["X-Request-Id"]
	if len(a) != 1 || len(b) != 1 || a[0] == b[0] {
		t.Errorf("the ids are %q and %q", a, b)
	}
	if one.Header.Get("Cache-Status") != "dayfly; fwd=uri-miss; fwd-status=200; stored; ttl=60" && !strings.Contains(one.Header.Get("Cache-Status"), "stored; ttl=59") {
		t.Errorf("Cache-Status of the first is %q", one.Header.Get("Cache-Status"))
	}
	if !strings.HasPrefix(two.Header.Get("Cache-Status"), "dayfly; hit; ttl=") || two.Header["Age"] == nil {
		t.Errorf("Cache-Status of the second is %q, Age %q", two.Header.Get("Cache-Status"), two.Header["Age"])
	}
	if s, ok := e.CacheStats(); !ok || s.Hits != 1 || s.Misses != 1 {
		t.Errorf("%+v", s)
	}
	e.Close() // writes the log
	if s := log.String(); !strings.Contains(s, `"cache":"miss"`) || !strings.Contains(s, `"cache":"hit"`) {
		t.Errorf("the log has %s", s)
	}
}

// TestCacheStaleIfError: the edge's own page for an application that is not
// there comes after what is stale.
func TestCacheStaleIfError(t *testing.T) {
	e, _ := cachedSite(t, Options{HoldMax: -1}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=0, stale-if-error=600")
		io.WriteString(w, "hello")
	})
	textOf(t, visit(t, e, "http://www.example.com/"))
	e.Remove("web.1")
	res := visit(t, e, "http://www.example.com/")
	if got := textOf(t, res); res.StatusCode != 200 || got != "hello" {
		t.Errorf("%d %s", res.StatusCode, got)
	}
	if res := visit(t, e, "http://www.example.com/other"); res.StatusCode != 503 {
		t.Errorf("without anything stale: %d", res.StatusCode)
	}
	if _, err := e.Purge(respcache.Purge{All: true}); err != nil {
		t.Fatal(err)
	}
	if res := visit(t, e, "http://www.example.com/"); res.StatusCode != 503 {
		t.Errorf("after a purge: %d", res.StatusCode)
	}
}

// TestCacheOwnRequests: a renewal is no request of a client.
func TestCacheOwnRequests(t *testing.T) {
	e, asked := cachedSite(t, Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=0, stale-while-revalidate=600")
		io.WriteString(w, "hello")
	})
	for range 2 {
		textOf(t, visit(t, e, "http://www.example.com/"))
	}
	deadline := time.Now().Add(time.Minute)
	for asked.Load() < 2 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if n := asked.Load(); n != 2 {
		t.Fatalf("the application was asked %d times, not 2", n)
	}
	if n := e.Stats().Requests; n != 2 {
		t.Errorf("%d requests of clients are counted, not 2", n)
	}
}
