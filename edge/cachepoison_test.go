package edge

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestCacheErrorsNotKept: a request that the application chokes on, though its
// address is a good one, does not take the page from everybody else: of errors
// only what the application marked is kept (cache-poisoned denial of service).
func TestCacheErrorsNotKept(t *testing.T) {
	e, _ := cachedSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			if len(values[0]) > 4000 || strings.ContainsAny(values[0], "\a") || name == "X-Http-Method" || name == "X-Broken" {
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, "broken")
				return
			}
		}
		w.Header().Set("Cache-Control", "public, max-age=60")
		io.WriteString(w, "the page")
	})
	for i, header := range [][2]string{{"X-Oversized", strings.Repeat("x", 5000)}, {"X-Http-Method", "POST"}, {"X-Broken", "1"},
		{"Accept-Language", strings.Repeat("de,", 2000)}, {"Cookie", strings.Repeat("a=b;", 1500)}} {
		url := fmt.Sprintf("http://www.example.com/%d", i)
		if got := textOf(t, visit(t, e, url, header[0], header[1])); got != "broken" {
			t.Fatalf("%s: the attacker got %q", header[0], got)
		}
		if got := textOf(t, visit(t, e, url)); got != "the page" {
			t.Errorf("%s: everybody else got %q", header[0], got)
		}
	}
}

// TestCacheCloaking: parameters that an application may read and a cache may not
// (by semicolons, again, in capitals, encoded, in a body of a GET) are all part of
// the key, or have the request pass by.
func TestCacheCloaking(t *testing.T) {
	e, _ := cachedSite(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Cache-Control", "public, max-age=60")
		fmt.Fprintf(w, "%s %s", strings.ReplaceAll(r.URL.RawQuery, ";", "&"), body)
	})
	const clean = "/search?q=a&utm_content=x"
	for _, target := range []string{clean + ";q=evil", clean + "&q=evil", clean + "&Q=evil", "/search?q=a&utm_content=x%26q=evil", "/search?q=a&utm_content=x?q=evil",
		"/search;q=evil?q=a&utm_content=x", "/search%3fq=evil?q=a&utm_content=x", "//search?q=a&utm_content=x", "/search/?q=a&utm_content=x", "/search?utm_content=x&q=a"} {
		visit(t, e, "http://www.example.com"+target)
		if got := textOf(t, visit(t, e, "http://www.example.com"+clean)); got != "q=a&utm_content=x " {
			t.Errorf("%s: everybody else got %q", target, got)
		}
	}
	r := httptest.NewRequest("GET", "http://www.example.com/fat?q=a", strings.NewReader("q=evil"))
	w := httptest.NewRecorder()
	if e.ServeHTTP(w, r); w.Body.String() != "q=a q=evil" {
		t.Fatalf("the application did not get the body: %q", w.Body)
	}
	if got := textOf(t, visit(t, e, "http://www.example.com/fat?q=a")); got != "q=a " {
		t.Errorf("a GET with a body: everybody else got %q", got)
	}
}
