package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// memory is a cache for tests.
type memory struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (c *memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.m[key]
	return v, ok, nil
}

func (c *memory) Set(_ context.Context, key string, v []byte, _ time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(key) > 250 || len(v) > 1<<20 {
		return errors.New("not storable in memcached")
	}
	c.m[key] = bytes.Clone(v)
	return nil
}

func TestConditionalRequests(t *testing.T) {
	var asked, whole atomic.Int32
	body := "hello"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if !strings.HasPrefix(r.UserAgent(), "dayfly-releases") {
			t.Errorf("User-Agent = %q", r.UserAgent())
		}
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		whole.Add(1)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, body)
	}))
	defer s.Close()
	cache := &memory{m: map[string][]byte{}}
	get := func(fresh time.Duration) {
		t.Helper()
		a, err := fetch.New(fetch.Options{Cache: cache, Fresh: fresh}).Get(t.Context(), fetch.Request{URL: s.URL + "/x"})
		if err != nil || string(a.Body) != body || a.ContentType != "text/plain" || a.URL != s.URL+"/x" {
			t.Fatalf("answer %+v, %v", a, err)
		}
	}
	get(-1) // asks
	get(-1) // asks, 304
	get(-1) // asks, 304
	get(time.Hour)
	if asked.Load() != 3 || whole.Load() != 1 {
		t.Errorf("asked %d times, sent whole %d times; want 3 and 1", asked.Load(), whole.Load())
	}
}

func TestWhoAsksIsPartOfTheKey(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "for "+r.Header.Get("Authorization"))
	}))
	defer s.Close()
	c := fetch.New(fetch.Options{Cache: &memory{m: map[string][]byte{}}})
	for _, who := range []string{"Bearer one", "Bearer two"} {
		a, err := c.Get(t.Context(), fetch.Request{URL: s.URL, Header: http.Header{"Authorization": {who}}})
		if err != nil || string(a.Body) != "for "+who {
			t.Errorf("%s got %q, %v", who, a.Body, err)
		}
	}
}

func TestProblems(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/missing":
			http.NotFound(w, r)
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/secret":
			w.WriteHeader(http.StatusUnauthorized)
		case "/odd":
			w.WriteHeader(http.StatusBadRequest)
		case "/broken":
			w.WriteHeader(http.StatusBadGateway)
		case "/busy":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/large":
			w.Write(make([]byte, 2000))
		case "/short":
			w.Header().Set("Content-Length", "100")
			w.Write(make([]byte, 10))
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		}
	}))
	defer s.Close()
	dead := httptest.NewServer(nil)
	dead.Close()
	tests := []struct {
		url     string
		problem watch.Problem
		says    string
	}{
		{s.URL + "/missing", watch.Missing, "not found at"},
		{s.URL + "/gone", watch.Missing, "not found at"},
		{s.URL + "/secret", watch.Refused, "credentials"},
		{s.URL + "/odd", watch.Refused, "HTTP 400"},
		{s.URL + "/broken", watch.Unreachable, "HTTP 502"},
		{s.URL + "/busy", watch.Unreachable, "fewer requests"},
		{s.URL + "/large", watch.Malformed, "larger than 1000 B"},
		{s.URL + "/short", watch.Unreachable, "unexpected EOF"},
		{s.URL + "/circle", watch.Unreachable, "redirected more than 5 times"},
		{dead.URL + "/x", watch.Unreachable, "refused"},
		{"file:///etc/passwd", watch.Unsupported, "only http and https"},
	}
	c := fetch.New(fetch.Options{})
	for _, tt := range tests {
		_, err := c.Get(t.Context(), fetch.Request{URL: tt.url, Package: "left-pad", Limit: 1000})
		if watch.ProblemOf(err) != tt.problem || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), "left-pad: ") {
			t.Errorf("%s: %q (%s), want %s with %q", tt.url, err, watch.ProblemOf(err), tt.problem, tt.says)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	address := strings.Replace(dead.URL, "http://", "http://user:hunter2@", 1) + "/simple/x/?token=hunter2"
	var log bytes.Buffer
	c := fetch.New(fetch.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := c.Get(t.Context(), fetch.Request{URL: address, Registry: address, Package: "x"})
	if err == nil || strings.Contains(err.Error()+log.String(), "hunter2") {
		t.Errorf("err = %v, log = %s", err, log.String())
	}
	for _, s := range []string{"https://u:hunter2@h/p?hunter2#hunter2", "::u:hunter2@h", "http://u:hunter2@[broken"} {
		if r := fetch.Redact(s); strings.Contains(r, "hunter2") {
			t.Errorf("Redact(%q) = %q", s, r)
		}
	}
}

func TestRedirectDoesNotLeaveTLS(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked without TLS") }))
	defer plain.Close()
	via, _ := http.NewRequest("GET", "https://registry.example/x", nil)
	next, _ := http.NewRequest("GET", plain.URL, nil)
	if err := fetch.CheckRedirect(next, []*http.Request{via}); err == nil {
		t.Error("a redirect from https to http was followed")
	}
}

func TestDownload(t *testing.T) {
	data := bytes.Repeat([]byte("dayfly"), 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("Accept-Encoding = %q", r.Header.Get("Accept-Encoding"))
		}
		w.Write(data)
	}))
	defer s.Close()
	t.Setenv("TMPDIR", t.TempDir())
	c := fetch.New(fetch.Options{})
	sum := sha256.Sum256(data)
	got, err := c.Download(t.Context(), fetch.Request{URL: s.URL}, &fetch.Digest{Name: "sha256", New: sha256.New, Sum: sum[:]})
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(got)
	if err != nil || !bytes.Equal(read, data) || got.Size != int64(len(data)) {
		t.Errorf("%d bytes, %v", len(read), err)
	}
	got.Close()
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) != 0 {
		t.Errorf("files were left behind: %v", left)
	}
	sum[0]++
	_, err = c.Download(t.Context(), fetch.Request{URL: s.URL}, &fetch.Digest{Name: "sha256", New: sha256.New, Sum: sum[:]})
	if watch.ProblemOf(err) != watch.Malformed {
		t.Errorf("another digest: %v", err)
	}
	var r *archive.Refusal
	if _, err = c.Download(t.Context(), fetch.Request{URL: s.URL, Limit: 100}, nil); !errors.As(err, &r) {
		t.Errorf("larger than the limit: %v", err)
	}
}

func TestFewRequestsAtOnce(t *testing.T) {
	var now, most atomic.Int32
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		<-release
		now.Add(-1)
	}))
	defer s.Close()
	c := fetch.New(fetch.Options{PerHost: 2})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { c.Get(t.Context(), fetch.Request{URL: s.URL}) })
	}
	for range 6 {
		release <- struct{}{}
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d requests at once, want at most 2", most.Load())
	}
}
