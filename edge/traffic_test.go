package edge

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/edge/compress"
	"github.com/dayfly-dev/dayfly/edge/respcache"
	"github.com/dayfly-dev/dayfly/edge/traffic"
)

// counted are the requests by route, kind, method and class of status.
func counted(e *Edge) map[string]uint64 {
	all := map[string]uint64{}
	for _, r := range e.Routes() {
		if r.InFlight != 0 {
			all[r.Name+" in flight"] = uint64(r.InFlight)
		}
		for _, k := range r.Kinds {
			for m, classes := range k.By {
				for class, n := range classes {
					if n > 0 {
						all[strings.Join([]string{r.Name, k.Kind.String(), traffic.Methods[m], string(rune('0' + class))}, " ")] = n
					}
				}
			}
			if k.Gone > 0 {
				all[r.Name+" "+k.Kind.String()+" gone"] = k.Gone
			}
			if k.Broken > 0 {
				all[r.Name+" "+k.Kind.String()+" broken"] = k.Broken
			}
		}
	}
	return all
}

func countedAll(e *Edge) (n uint64) {
	for _, r := range e.Routes() {
		for _, k := range r.Kinds {
			n += k.Requests
		}
	}
	return n
}

// TestRoutes: whoever answers, a request counts once, under its route and who
// answered.
func TestRoutes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "app.css", css)
	var log buffer
	s := newSite(t, Options{AccessLog: &log, Host: "www.shop.example", ClickFile: filepath.Join(t.TempDir(), "clicks"), Static: Static{Dir: dir},
		Clicks: map[string]Campaign{"daily": {"a", "b", "c"}}, Routes: []traffic.Pattern{{Name: "search", Path: "/search/"}},
		Limits: []Limit{{Name: "few", Path: "/limited", Rate: 1, Per: time.Hour}}})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/none":
			http.NotFound(w, r)
		case "/named":
			w.Header().Set("Dayfly-Route", "things#show")
			io.WriteString(w, "x")
		case "/broken":
			w.Header().Set("Content-Length", "10")
			w.Write([]byte("12345"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/fails":
			w.WriteHeader(500)
		}
	})
	for _, path := range []string{"/", "/users/1", "/users/2", "/none", "/search/a/b", "/search", "/named", "/fails", "/limited", "/limited",
		"/static/app.css", "/static/none", "/daily/?/x/", ScriptPath, "/named"} {
		res, _ := s.get(t, path, "Accept", "text/html")
		if _, told := res.Header["Dayfly-Route"]; told {
			t.Errorf("%s: the client is told the route", path)
		}
	}
	s.get(t, "/apex", "Host", "shop.example")
	_, r := s.raw(t, "GET /broken HTTP/1.1\r\nHost: a\r\n\r\n") // a client would ask again
	io.Copy(io.Discard, r)                                      //nolint:errcheck // it breaks off
	if res, err := s.client.Post(s.url+"/users/3", "text/plain", strings.NewReader("a")); err == nil {
		res.Body.Close()
	}
	want := map[string]uint64{
		"/ application GET 2": 1, "/users/{id} application GET 2": 2, "/users/{id} application POST 2": 1, "(other) application GET 4": 1,
		"search application GET 2": 2, "things#show application GET 2": 2, "/fails application GET 5": 1, "/limited application GET 2": 1, "/limited edge GET 4": 1,
		"(static) static GET 2": 1, "(static) static GET 4": 1, "(clicks) click GET 3": 1, "(other) edge GET 2": 1, "(other) edge GET 3": 1,
		"/broken application GET 2": 1, "/broken application broken": 1,
	}
	eventually(t, "all are counted", func() bool { return countedAll(s.Edge) >= 18 })
	if d := cmp.Diff(want, counted(s.Edge)); d != "" {
		t.Error(d)
	}
	eventually(t, "all are logged", func() bool { return strings.Count(log.String(), "\n") == 18 })
	routes := map[string]int{}
	for line := range strings.Lines(log.String()) {
		var l struct{ Route string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		routes[l.Route]++
	}
	if d := cmp.Diff(map[string]int{"/": 1, "/users/{id}": 3, "(other)": 3, "search": 2, "things#show": 2, "/fails": 1, "/limited": 2, "(static)": 2, "(clicks)": 1, "/broken": 1}, routes); d != "" {
		t.Error(d)
	}
}

// TestRouteOfCachedAnswers: what the cache answers counts under the name that the
// application gave, and is told from what the application answers.
func TestRouteOfCachedAnswers(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/named" {
			w.Header().Set("Dayfly-Route", "named")
		}
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, "x")
	})
	e, _ := cachedSite(t, Options{HoldMax: -1}, answer)
	for _, path := range []string{"/named", "/named", "/named", "/plain", "/plain"} {
		if res := visit(t, e, "http://a"+path); res.Header.Get("Dayfly-Route") != "" {
			t.Errorf("%s: the client is told the route", path)
		}
	}
	e.Drain(t.Context(), "web.1")
	e.Remove("web.1")
	visit(t, e, "http://a/named?else", "Cache-Control", "no-store")
	want := map[string]uint64{"named application GET 2": 1, "named cache GET 2": 2, "/plain application GET 2": 1, "/plain cache GET 2": 1, "named edge GET 5": 1}
	if d := cmp.Diff(want, counted(e)); d != "" {
		t.Error(d)
	}
}

// TestRouteOfQuickAnswers: the loop that answers before there is a request counts
// and logs as all others do.
func TestRouteOfQuickAnswers(t *testing.T) {
	var log buffer
	s := newSite(t, Options{AccessLog: &log, Cache: &respcache.Options{}, Answers: Answers{Compress: &compress.Options{}}})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Dayfly-Route", "named")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, strings.Repeat("a", 10_000))
	})
	s.get(t, "/named/first")
	const n = 10
	for range n {
		if res, _ := s.get(t, "/", "Accept-Encoding", "gzip"); res.Header["Dayfly-Route"] != nil || res.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("the client gets %v", res.Header)
		}
	}
	want := map[string]uint64{"named application GET 2": 2, "named cache GET 2": n - 1}
	eventually(t, "all are counted", func() bool { return countedAll(s.Edge) > n })
	if d := cmp.Diff(want, counted(s.Edge)); d != "" {
		t.Error(d)
	}
	eventually(t, "all are logged", func() bool { return strings.Count(log.String(), `"encoding":"gzip"`) == n })
	if stats, _ := s.CacheStats(); stats.Hits != n-1 {
		t.Errorf("%d hits", stats.Hits)
	}
}

// A client that leaves is told from an error, and nothing stays under way.
func TestRouteOfWhoLeaves(t *testing.T) {
	s := newSite(t, Options{})
	entered, leave := make(chan bool, 2), make(chan bool)
	t.Cleanup(func() { close(leave) })
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			entered <- true
			select {
			case <-r.Context().Done():
			case <-leave:
			}
		}
	})
	s.get(t, "/slow/begin")
	c, _ := s.raw(t, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	if n := counted(s.Edge)["(other) in flight"]; n != 1 {
		t.Errorf("%d are under way", n)
	}
	c.Close()
	want := map[string]uint64{"/slow/begin application GET 2": 1, "(other) application GET 0": 1, "(other) application gone": 1}
	eventually(t, "it has left", func() bool { return cmp.Equal(counted(s.Edge), want) })
}

// Durations of event streams and upgraded connections are how long somebody
// stayed.
func TestRouteOfStreams(t *testing.T) {
	s := newSite(t, Options{})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Dayfly-Route", "stream")
		if r.Header.Get("Upgrade") == "" {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: x\n\n")
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
	})
	s.get(t, "/events")
	_, r := s.raw(t, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	answer, err := io.ReadAll(r)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 101 ")) || bytes.Contains(answer, []byte("Dayfly-Route")) {
		t.Fatalf("%q %v", answer, err)
	}
	want := map[string]uint64{"stream application GET 2": 1, "stream application GET 1": 1}
	eventually(t, "both are counted", func() bool { return cmp.Equal(counted(s.Edge), want) })
	for _, r := range s.Routes() {
		if r.Name == "stream" && (r.Kinds[0].Whole.Count() != 0 || r.Kinds[0].First.Count() != 2) {
			t.Errorf("%d whole, %d first", r.Kinds[0].Whole.Count(), r.Kinds[0].First.Count())
		}
	}
}

// TestLoggedEncoding: the coding of an answer is in the log.
func TestLoggedEncoding(t *testing.T) {
	var log buffer
	s := newSite(t, Options{AccessLog: &log, Answers: Answers{Compress: &compress.Options{}}})
	s.add(t, "web.1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, strings.Repeat("a", 10_000))
	})
	s.get(t, "/", "Accept-Encoding", "gzip")
	s.get(t, "/")
	eventually(t, "written", func() bool { return strings.Count(log.String(), "\n") == 2 })
	lines := strings.SplitAfter(log.String(), "\n")
	if !strings.Contains(lines[0], `,"encoding":"gzip"`) || strings.Contains(lines[1], "encoding") {
		t.Error(lines)
	}
}

// Declared routes change with the options, and keep their counts.
func TestRoutesReload(t *testing.T) {
	o := Options{HoldMax: -1, Routes: []traffic.Pattern{{Name: "a", Path: "/a/"}}}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	visit(t, e, "http://h/a/1")
	o.Routes = []traffic.Pattern{{Name: "a", Path: "/a/"}, {Name: "b", Path: "/{"}}
	if err := e.Reload(o); err == nil || !strings.Contains(err.Error(), "edge: traffic: route b") {
		t.Errorf("a wrong pattern: %v", err)
	}
	o.Routes[1].Path = "/b/"
	if err := e.Reload(o); err != nil {
		t.Fatal(err)
	}
	visit(t, e, "http://h/a/1")
	visit(t, e, "http://h/b/1")
	if d := cmp.Diff(map[string]uint64{"a edge GET 5": 2, "b edge GET 5": 1}, counted(e)); d != "" {
		t.Error(d)
	}
}

// Who answered is seen by what happened.
func TestAnsweredBy(t *testing.T) {
	for want, all := range map[traffic.Kind][]*exchange{
		traffic.Application: {{target: "web.1"}, {cache: "miss"}, {cache: "collapsed"}, {release: "r1", target: "web.1"}},
		traffic.Cache:       {{cache: "hit"}, {cache: "stale", target: "web.1"}},
		traffic.Published:   {{release: "r1"}},
		traffic.Edge:        {{}, {target: "web.1", measured: measured{kind: traffic.Edge}}},
	} {
		for _, x := range all {
			if got := x.answeredBy(); got != want {
				t.Errorf("%+v: %v, not %v", x, got, want)
			}
		}
	}
}

// What the edge adds to count a request allocates nothing.
func TestCountAllocations(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	x := &exchange{e: e, r: httptest.NewRequest("GET", "/users/17", nil), target: "web.1", status: 200}
	x.w = httptest.NewRecorder()
	once := func() {
		x.fly()
		x.headed(200, x.w.Header())
		x.count(time.Millisecond)
	}
	once()
	if n := testing.AllocsPerRun(100, once); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCount(b *testing.B) {
	e, err := New(Options{Cache: &respcache.Options{}})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	x := &exchange{e: e, r: httptest.NewRequest("GET", "/users/17", nil), target: "web.1", status: 200}
	x.w = httptest.NewRecorder()
	x.w.Header().Set("Content-Type", "text/html")
	b.ReportAllocs()
	for b.Loop() {
		x.fly()
		x.headed(200, x.w.Header())
		x.count(time.Millisecond)
	}
}
