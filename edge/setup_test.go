package edge

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/edge/compress"
	"github.com/dayfly-dev/dayfly/edge/cors"
	"github.com/dayfly-dev/dayfly/edge/respcache"
)

// counting is a backend that numbers its answers, which may be kept.
func counting(t *testing.T) *httptest.Server {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, strconv.FormatInt(n.Add(1), 10)+strings.Repeat(" ", 2000))
	}))
	t.Cleanup(s.Close)
	return s
}

func reloaded(t *testing.T, e *Edge, o Options) {
	t.Helper()
	if err := e.Reload(o); err != nil {
		t.Fatal(err)
	}
}

func askEdge(e *Edge, path string, header ...string) *http.Response {
	r := httptest.NewRequest("GET", "http://www.shop.example"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// Each option that Reload takes holds for the next request.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("one/a.txt", "one")
	file("two/a.txt", "two")
	o := Options{HealthPath: "/", HoldMax: -1, ClickFile: filepath.Join(dir, "clicks"), Static: Static{Dir: filepath.Join(dir, "one")}}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Add(Target{"web.1", counting(t).URL}); err != nil {
		t.Fatal(err)
	}
	if err := e.Await(t.Context(), "web.1"); err != nil {
		t.Fatal(err)
	}
	if a := askEdge(e, "/static/a.txt"); text(t, a) != "one" {
		t.Error("the first folder is not served")
	}
	o.Static.Dir, o.Static.Prefix = filepath.Join(dir, "two"), "/files/"
	o.Host = "www.shop.example"
	o.Clicks = map[string]Campaign{"daily": {"email", "email", "x"}}
	o.Answers.CORS = []cors.Rule{{Path: "/", Origins: []string{"https://a.example"}}}
	o.Answers.Compress = &compress.Options{}
	o.Limits = []Limit{{Name: "few", Path: "/few", Rate: 2, Per: time.Hour}}
	o.HTTPS.HSTS.MaxAge = time.Hour
	reloaded(t, e, o)
	if a := askEdge(e, "/files/a.txt"); text(t, a) != "two" {
		t.Error("the second folder is not served")
	}
	if a := askEdge(e, "/daily/?/x"); a.StatusCode != http.StatusFound {
		t.Errorf("a click: %d", a.StatusCode)
	}
	if a := askEdge(e, "/x", "Origin", "https://a.example", "Accept-Encoding", "gzip"); a.Header.Get("Access-Control-Allow-Origin") == "" || a.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("neither CORS nor gzip: %v", a.Header)
	}
	if askEdge(e, "/few"); e.Stats().Limits[0].Allowed != 1 {
		t.Error("the limit does not count")
	}
	// A limit that is as it was goes on counting, whatever else changes; clicks that
	// are no longer in the manifest are still shown.
	o.Clicks, o.Limits = nil, append([]Limit{{Name: "other", Path: "/other", Concurrency: 1}}, o.Limits...)
	reloaded(t, e, o)
	if askEdge(e, "/few"); e.Stats().Limits[1].Allowed != 2 {
		t.Errorf("%+v", e.Stats().Limits)
	}
	if a := askEdge(e, "/few"); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the third of two an hour: %d", a.StatusCode)
	}
	if n := len(e.Clicks()); n != 1 {
		t.Errorf("%d clicks, not the one", n)
	}
	o.Limits[1].Rate = 100
	reloaded(t, e, o)
	if a := askEdge(e, "/few"); a.StatusCode != http.StatusOK {
		t.Errorf("with a higher limit: %d", a.StatusCode)
	}
}

// What is wrong changes nothing.
func TestReloadRefused(t *testing.T) {
	good := Options{Host: "www.shop.example", Static: Static{Dir: t.TempDir()}, Cache: &respcache.Options{}}
	e, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	before := e.setup()
	for name, change := range map[string]func(o *Options){
		"host":       func(o *Options) { o.Host = "a b" },
		"static":     func(o *Options) { o.Static.Dir = "/nowhere/at/all" },
		"pages":      func(o *Options) { o.Pages.Limited = "/nowhere/at/all" },
		"limits":     func(o *Options) { o.Limits = []Limit{{Name: "x"}} },
		"cors":       func(o *Options) { o.Answers.CORS = []cors.Rule{{Path: "x"}}; o.Static.Dir = t.TempDir() },
		"cache":      func(o *Options) { o.Cache = &respcache.Options{Size: 1} },
		"cache disk": func(o *Options) { o.Cache = &respcache.Options{Dir: t.TempDir()} },
		"protocol":   func(o *Options) { o.Protocol = H2C },
		"log":        func(o *Options) { o.AccessLogFormat = LogCombined },
	} {
		o := good
		change(&o)
		if err := e.Reload(o); err == nil || e.setup() != before {
			t.Errorf("%s: %v", name, err)
		} else if (name == "protocol" || name == "log") != errors.Is(err, ErrFixed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Reload(good); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// Cached answers stay through a change of something else, and are gone when there
// is a cache again.
func TestReloadCache(t *testing.T) {
	o := Options{HealthPath: "/healthz", HoldMax: -1, Cache: &respcache.Options{Dir: t.TempDir()}}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Add(Target{"web.1", counting(t).URL}); err != nil {
		t.Fatal(err)
	}
	if err := e.Await(t.Context(), "web.1"); err != nil {
		t.Fatal(err)
	}
	first := text(t, askEdge(e, "/"))
	o.Host = "www.shop.example"
	reloaded(t, e, o)
	larger := *o.Cache
	larger.Size = 128 << 20
	o.Cache = &larger
	reloaded(t, e, o)
	if again := text(t, askEdge(e, "/")); again != first {
		t.Errorf("what was cached is gone: %q after %q", again, first)
	}
	with := o.Cache
	o.Cache = nil
	reloaded(t, e, o)
	if _, ok := e.CacheStats(); ok {
		t.Error("there is a cache still")
	}
	second := text(t, askEdge(e, "/"))
	o.Cache = with
	reloaded(t, e, o)
	third := text(t, askEdge(e, "/"))
	if second == first || third == second || third == first {
		t.Errorf("%q, without a cache %q, then %q", first, second, third)
	}
	if again := text(t, askEdge(e, "/")); again != third {
		t.Errorf("%q is not cached: %q", third, again)
	}
}

// A target keeps the health check it was started for.
func TestReloadHealth(t *testing.T) {
	o := Options{HealthPath: "/old", HealthInterval: time.Millisecond, HealthFall: 1}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	asked := make(chan string, 1000)
	app := func(knows string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != knows {
				http.NotFound(w, r)
			}
			select {
			case asked <- r.URL.Path:
			default:
			}
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	for name, path := range map[string]string{"web.1": "/old", "web.2": "/new"} {
		o.HealthPath = path
		reloaded(t, e, o)
		if err := e.Add(Target{name, app(path)}); err != nil {
			t.Fatal(err)
		}
		if err := e.Await(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for range cap(asked) / 2 {
		<-asked
	}
	for _, s := range e.Stats().Targets {
		if !s.Healthy {
			t.Errorf("%+v", s)
		}
	}
}

// Requests that come while the edge reloads are all answered.
func TestReloadUnderLoad(t *testing.T) {
	o := Options{HealthPath: "/"}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	for _, name := range []string{"web.1", "web.2"} {
		if err := e.Add(Target{name, counting(t).URL}); err != nil {
			t.Fatal(err)
		}
		if err := e.Await(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	front := startFront(t, e)
	done, answered := make(chan struct{}), make(chan struct{})
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := 0; ; i++ {
				a, err := http.Get(front + "/" + strconv.Itoa(c) + strconv.Itoa(i%50))
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(a.Body)
				a.Body.Close()
				if err != nil || a.StatusCode != http.StatusOK || len(b) < 2000 {
					t.Errorf("%d, %d bytes, %v", a.StatusCode, len(b), err)
					return
				}
				select {
				case answered <- struct{}{}:
				case <-done:
					return
				}
			}
		})
	}
	for i := range 30 {
		o.Cache, o.Answers.Compress, o.Limits, o.Balance = nil, nil, nil, Balance{SlowStart: time.Duration(i%3 - 1), PerTarget: i % 4 * 8}
		if i%2 == 0 {
			o.Cache = &respcache.Options{Size: int64(i+1) << 20}
		}
		if i%3 == 0 {
			o.Answers.Compress = &compress.Options{}
		}
		if i%5 == 0 {
			o.Limits = []Limit{{Name: "all", Concurrency: 1000}}
		}
		reloaded(t, e, o)
		for range 20 {
			select {
			case <-answered:
			case <-time.After(5 * time.Minute):
				t.Fatal("no answers any more")
			}
		}
	}
	close(done)
	clients.Wait()
}

func startFront(t *testing.T, e *Edge) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := NewFront(Server(e), nil)
	go f.Serve(l)
	t.Cleanup(func() { f.Close() })
	return "http://" + l.Addr().String()
}
