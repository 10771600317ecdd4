package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/edge/publish"
	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// releases is a store with its bucket.
func releases(t *testing.T) (*publish.Store, *blob.Bucket) {
	t.Helper()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	s, err := publish.New(publish.Options{Bucket: b, Records: records.New(memrecords.New())})
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

// staged makes a release of pages by path, "/x?y" one with a query.
func staged(t *testing.T, s *publish.Store, pages map[string]string) string {
	t.Helper()
	r, err := s.Stage(t.Context(), publish.Staging{Source: func(_ context.Context, add func(publish.Page, []byte) error) error {
		for key, content := range pages {
			path, query, exact := strings.Cut(key, "?")
			p := publish.Page{Path: path, Query: query, Any: !exact, Status: 200, Type: "text/html; charset=utf-8"}
			if err := add(p, []byte(content)); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

func switched(t *testing.T, s *publish.Store, id string, edges ...*Edge) {
	t.Helper()
	st, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Live(t.Context(), st, id, "me", false); err != nil {
		t.Fatal(err)
	}
	for _, e := range edges {
		following(t, e, func(p PublishStats) bool { return p.Live == id })
	}
}

// following waits until an edge is where it should be.
func following(t *testing.T, e *Edge, good func(PublishStats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if e.published.await(ctx, func() bool { p, _ := e.PublishStats(); return good(p) }) != nil {
		p, _ := e.PublishStats()
		t.Fatalf("it does not follow: %+v", p)
	}
}

func publishingTo(s *publish.Store, name string) *Publishing {
	return &Publishing{Store: s, Name: name, Poll: 2 * time.Millisecond}
}

// publishedSite is an edge that publishes, in front of an application that says
// what it was asked and may be cached.
func publishedSite(t *testing.T, s *publish.Store) (*Edge, *atomic.Int64) {
	t.Helper()
	return cachedSite(t, Options{Publish: publishingTo(s, "a")}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600")
		fmt.Fprintf(w, "application %s %s%s", r.Method, r.URL, r.Header.Get(PreviewHeader)+r.Header.Get("Dayfly_preview"))
	})
}

var long = strings.Repeat("<p>A line of a page that gets smaller.</p>\n", 100)

// TestPublished answers what a release has as files are answered, and the rest as
// before.
func TestPublished(t *testing.T) {
	s, _ := releases(t)
	e, _ := publishedSite(t, s)
	if got := textOf(t, visit(t, e, "/")); got != "application GET /" {
		t.Fatalf("before anything is live: %q", got)
	}
	switched(t, s, staged(t, s, map[string]string{"/": long, "/a b": "spaces", "/q?x=1": "query"}), e)
	following(t, e, func(p PublishStats) bool { return len(p.Warm) == 1 })
	plain := visit(t, e, "/")
	tag := plain.Header.Get("ETag")
	if textOf(t, plain) != long || plain.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(tag, `"`) || plain.Header.Get("X-Request-Id") == "" || plain.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("%v", plain.Header)
	}
	for _, enc := range []string{"gzip", "br", "zstd"} {
		res := visit(t, e, "/", "Accept-Encoding", enc)
		other := res.Header.Get("ETag")
		if res.Header.Get("Content-Encoding") != enc || other == tag || res.ContentLength >= int64(len(long)) {
			t.Errorf("%s: %v", enc, res.Header)
		}
		if res := visit(t, e, "/", "Accept-Encoding", enc, "If-None-Match", other); res.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d for its own tag", enc, res.StatusCode)
		}
	}
	if res := visit(t, e, "/", "Range", "bytes=0-2"); res.StatusCode != http.StatusPartialContent || textOf(t, res) != long[:3] {
		t.Errorf("a range: %d", res.StatusCode)
	}
	head := httptest.NewRecorder()
	e.ServeHTTP(head, httptest.NewRequest("HEAD", "/", nil))
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != fmt.Sprint(len(long)) {
		t.Errorf("HEAD: %d %v", head.Code, head.Header())
	}
	for target, want := range map[string]string{
		"/a%20b": "spaces", "/a%20b?utm_source=x&y": "spaces", "/q?x=1": "query", "/q?utm_source=a&x=1&utm_medium=b": "query",
		"/q": "application GET /q", "/q?x=2": "application GET /q?x=2", "/a%2520b": "application GET /a%2520b", "/other": "application GET /other",
		"/q%3Fx=1": "application GET /q%3Fx=1",
	} {
		if got := textOf(t, visit(t, e, target)); got != want {
			t.Errorf("%s: %q instead of %q", target, got, want)
		}
	}
	post := httptest.NewRecorder()
	e.ServeHTTP(post, httptest.NewRequest("POST", "/", nil))
	if post.Body.String() != "application POST /" {
		t.Errorf("a form sent to a published page: %q", post.Body)
	}
	switched(t, s, "", e)
	if got := textOf(t, visit(t, e, "/")); got != "application GET /" {
		t.Errorf("when nothing is live any more: %q", got)
	}
}

// TestPreviewHeader has no client tell the application that its request is not
// public, however it is spelt, and with nothing published either.
func TestPreviewHeader(t *testing.T) {
	s, _ := releases(t)
	e, _ := publishedSite(t, s)
	for _, name := range []string{"Dayfly-Preview", "dayfly-preview", "Dayfly_Preview", "DAYFLY_PREVIEW"} {
		if got := textOf(t, visit(t, e, "/"+name, name, "stage")); strings.Contains(got, "stage") {
			t.Errorf("%s: %q", name, got)
		}
	}
	site := &url.URL{Scheme: "https", Host: "www.example.com"}
	for range 2 { // not from the cache, nor into it
		a, err := e.Capture(t.Context(), site, "/x?y=1")
		if err != nil || a.Status != 200 || string(a.Body) != "application GET /x?y=1stage" {
			t.Fatalf("%+v %v", a, err)
		}
	}
	if got := textOf(t, visit(t, e, "https://www.example.com/x?y=1")); got != "application GET /x?y=1" {
		t.Errorf("a visitor: %q", got)
	}
}

// TestCaptureWhole has no answer be published that is not whole.
func TestCaptureWhole(t *testing.T) {
	s, _ := releases(t)
	e, _ := cachedSite(t, Options{Publish: publishingTo(s, "a")}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
	})
	site := &url.URL{Scheme: "http", Host: "localhost"}
	if a, err := e.Capture(t.Context(), site, "/"); err == nil {
		t.Errorf("half an answer: %+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Capture(ctx, site, "/"); err == nil {
		t.Error("a capture that was given up")
	}
}

// TestPurged has what a switch takes away, adds and changes leave the response
// cache, with its variants, and nothing else; and on the disk of an edge that was
// away during the switch.
func TestPurged(t *testing.T) {
	s, _ := releases(t)
	dir := t.TempDir()
	o := Options{Cache: &respcache.Options{Dir: filepath.Join(dir, "cache")}, Publish: publishingTo(s, "a")}
	o.Publish.File = filepath.Join(dir, "publish.json")
	n := 0
	application := func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("Vary", "Accept-Language")
		fmt.Fprint(w, n)
	}
	e, asked := cachedSite(t, o, application)
	again := func(want int64, targets ...string) {
		t.Helper()
		before := asked.Load()
		for _, target := range targets {
			visit(t, e, target, "Accept-Language", "de")
			visit(t, e, target, "Accept-Language", "en")
		}
		if got := asked.Load() - before; got != want {
			t.Errorf("%v: the application was asked %d times instead of %d", targets, got, want)
		}
	}
	again(6, "/gone?x=1", "/kept", "/gone")
	one := staged(t, s, map[string]string{"/gone": "1", "/same": "1"})
	switched(t, s, one, e)
	again(0, "/gone", "/kept")
	switched(t, s, staged(t, s, map[string]string{"/same": "1"}), e)
	again(2, "/gone")
	again(0, "/kept", "/gone")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	switched(t, s, "") // while it is away
	e, asked = cachedSite(t, o, application)
	again(4, "/gone", "/same")
}

// TestOneRelease asks for pages while releases are switched: whatever an edge
// answers is of one release as a whole, and once it answered from the new one it
// never answers from the old one again. Run with -race.
func TestOneRelease(t *testing.T) {
	s, _ := releases(t)
	e, _ := publishedSite(t, s)
	const n = 8
	for i := 1; i <= n; i++ {
		staged(t, s, map[string]string{"/": fmt.Sprintf("release %02d %s", i, long), "/b": fmt.Sprintf("release %02d", i)})
	}
	switched(t, s, "r1", e)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := ""
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, target := range []string{"/", "/b"} {
					w := httptest.NewRecorder()
					e.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
					got := w.Body.String()
					if !strings.HasPrefix(got, "release ") || got[:10] < last || target == "/" && !strings.HasSuffix(got, long) {
						t.Errorf("%d %.20q after %q", w.Code, got, last)
						return
					}
					last = got[:10]
				}
			}
		})
	}
	for i := 2; i <= n; i++ {
		switched(t, s, fmt.Sprintf("r%d", i), e)
	}
	close(stop)
	wg.Wait()
}

// TestWarm has a release that was staged be answered by every edge after its
// switch without a read from the bucket, compressed.
func TestWarm(t *testing.T) {
	s, _ := releases(t)
	other := *publishingTo(s, "b")
	a, _ := publishedSite(t, s)
	b, err := New(Options{Publish: &other})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	staged(t, s, map[string]string{"/": "first"})
	switched(t, s, "r1", a, b)
	staged(t, s, map[string]string{"/": long, "/b": "b"})
	for _, e := range []*Edge{a, b} {
		following(t, e, func(p PublishStats) bool { return len(p.Warm) == 2 })
	}
	before := s.Reads()
	switched(t, s, "r2", a, b)
	for _, e := range []*Edge{a, b} {
		if res := visit(t, e, "/", "Accept-Encoding", "br"); res.StatusCode != 200 || res.Header.Get("Content-Encoding") != "br" {
			t.Errorf("%d %v", res.StatusCode, res.Header)
		}
	}
	switched(t, s, "r1", a, b)
	if textOf(t, visit(t, b, "/")) != "first" {
		t.Error("not back")
	}
	if n := s.Reads() - before; n != 0 {
		t.Errorf("%d objects were read", n)
	}
	edges, err := s.Edges(t.Context())
	if err != nil || len(edges) != 2 || edges[0].Edge != "a" || edges[1].Edge != "b" {
		t.Errorf("%+v %v", edges, err)
	}
}

// TestUnloadable has an edge that cannot load a release keep the one it has, whole,
// say so, and follow when it can.
func TestUnloadable(t *testing.T) {
	s, bucket := releases(t)
	o := publishingTo(s, "a")
	o.Memory = 1 // of no release that is not live
	e, _ := cachedSite(t, Options{Publish: o}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "application") })
	staged(t, s, map[string]string{"/": "old", "/b": "old b"})
	switched(t, s, "r1", e)
	id := staged(t, s, map[string]string{"/": "new", "/c": "new c"})
	hidden := map[string][]byte{}
	for list := bucket.List(&blob.ListOptions{Prefix: "contents/"}); ; {
		o, err := list.Next(t.Context())
		if err != nil {
			break
		}
		if hidden[o.Key], err = bucket.ReadAll(t.Context(), o.Key); err != nil {
			t.Fatal(err)
		}
		if err := bucket.Delete(t.Context(), o.Key); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.PublishWarm(t.Context(), id, nil); !errors.Is(err, publish.ErrDamaged) {
		t.Errorf("it is warm: %v", err)
	}
	switched(t, s, id)
	following(t, e, func(p PublishStats) bool { return strings.Contains(p.Error, "r2 is live and cannot be loaded") })
	for target, want := range map[string]string{"/": "old", "/b": "old b", "/c": "application"} {
		if got := textOf(t, visit(t, e, target)); got != want {
			t.Errorf("%s: %q instead of %q", target, got, want)
		}
	}
	late, err := New(Options{HealthPath: "/healthz", Publish: &Publishing{Store: s, Name: "late", Poll: time.Millisecond, Patience: 20 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { late.Close() })
	if res := visit(t, late, "/c"); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("an edge that has no release at all answers %d", res.StatusCode)
	}
	for key, data := range hidden {
		if err := bucket.WriteAll(t.Context(), key, data, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []*Edge{e, late} {
		following(t, x, func(p PublishStats) bool { return p.Live == id && p.Error == "" })
		if got := textOf(t, visit(t, x, "/c")); got != "new c" {
			t.Errorf("%q", got)
		}
	}
}
