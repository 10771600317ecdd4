package respcache

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A site is an application behind a cache, asked without a network.
type site struct {
	*Cache
	http.Handler
	t *testing.T

	mu    sync.Mutex
	asked []*http.Request
}

func newSite(t *testing.T, o Options, application http.HandlerFunc) *site {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &site{Cache: c, t: t}
	s.Handler = c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r)
		s.mu.Unlock()
		application(w, r)
	}))
	return s
}

// fetches is how often the application was asked.
func (s *site) fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *site) last() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[len(s.asked)-1]
}

type answer struct {
	*http.Response
	body string
}

func (a answer) status() string { return a.Header.Get("Cache-Status") }

// do sends a request with headers, given as name, value, ….
func (s *site) do(method, url string, headers ...string) answer {
	s.t.Helper()
	return s.as(s.t.Context(), method, url, headers...)
}

func (s *site) as(ctx context.Context, method, url string, headers ...string) answer {
	s.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = "http://www.example.com" + url
	}
	r := httptest.NewRequestWithContext(ctx, method, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{w.Result(), string(b)}
}

func (s *site) get(url string, headers ...string) answer {
	s.t.Helper()
	return s.do("GET", url, headers...)
}

// numbered answers with how often it was asked, and headers, given as name,
// value, ….
func numbered(headers ...string) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		n++
		m := n
		mu.Unlock()
		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		fmt.Fprint(w, m)
	}
}
