package traffic

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newMeter(t testing.TB, o Options) *Meter {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ask counts a request as the edge does.
func (m *Meter) ask(path string, status int, also ...func(*Request)) string {
	q := Request{Method: "GET", Path: path, Status: status, First: time.Millisecond, Total: 2 * time.Millisecond, Bytes: 10}
	for _, f := range also {
		f(&q)
	}
	r := m.Find(q.Method, &url.URL{Path: path})
	r.Begin(1)
	defer r.Finish(1)
	return m.End(r, 1, &q).Name()
}

func called(name string) func(*Request) { return func(q *Request) { q.Name = name } }

// TestGroups: addresses that differ in values only are one route.
func TestGroups(t *testing.T) {
	m := newMeter(t, Options{})
	for path, want := range map[string]string{
		"/": "/", "": Other, "*": Other, "/a/../b": Other, "//a//./b/": "/a/b", "/about": "/about", "/about/": "/about", "/feed.xml": "/feed.xml",
		"/users/17": "/users/{id}", "/users/17/orders/20": "/users/{id}/orders/{id}", "/api/v2/items": "/api/v2/items",
		"/o/0197c3d2-6c1f-7a7e-8000-0123456789ab": "/o/{id}", "/c/deadbeef1": "/c/{id}", "/c/facade": "/c/facade", "/h/deadbeefdeadbeef1": "/h/{id}",
		"/2026/11/21/a-post": "/{id}/{id}/{id}/a-post", "/pkg/golang.org/x/net/v0.62.0": "/pkg/golang.org/x/net/*", "/a/b/c/d/e/f": "/a/b/c/d/*",
		"/s/" + strings.Repeat("x", 25): "/s/{id}", "/m/a@example.com": "/m/{id}", "/é": "/{id}", "/{id}": "/{id}", "/t/a\"b\n": "/t/{id}", "/page12": "/page12", "/page123": "/{id}",
	} {
		m.ask(path, 200) // the first is what makes it known
		if got := m.ask(path, 404); got != want {
			t.Errorf("%q is of %s, not %s", path, got, want)
		}
	}
}

// What is answered by "there is nothing" makes no route, nor what the edge
// answers itself; one that is known counts all.
func TestLearnable(t *testing.T) {
	m := newMeter(t, Options{})
	for _, status := range []int{0, 101, 400, 401, 403, 404, 405, 429, 499} {
		if got := m.ask("/x", status); got != Other {
			t.Errorf("%d makes %s", status, got)
		}
	}
	edge := func(q *Request) { q.Kind = Edge }
	if got := m.ask("/x", 503, edge); got != Other {
		t.Errorf("an error of the edge makes %s", got)
	}
	for i, status := range []int{200, 204, 304, 303, 500, 503} {
		if got, want := m.ask(fmt.Sprint("/is", i), status), fmt.Sprint("/is", i); got != want {
			t.Errorf("%d makes %s", status, got)
		}
	}
	if got := m.ask("/is0", 503, edge); got != "/is0" {
		t.Errorf("an error of the edge counts under %s", got)
	}
	if got := m.ask("/is0", 200, func(q *Request) { q.Kind = Static }); got != Files {
		t.Error(got)
	}
	if got := m.ask("/is0", 302, func(q *Request) { q.Kind = Click }); got != Clicks {
		t.Error(got)
	}
}

// TestNamed: the application's name goes before all, and its address belongs to
// it from then on.
func TestNamed(t *testing.T) {
	m := newMeter(t, Options{Declared: []Pattern{{Name: "shop", Path: "/shop/"}}})
	long := strings.Repeat("x", maxName+1)
	for _, tc := range []struct{ path, name, want string }{
		{"/shop/a", "", "shop"}, {"/shop/a", "item", "item"}, {"/shop/a", "", "shop"},
		{"/new/1", "GET /new/:id", "GET /new/:id"}, {"/new/2", "", "GET /new/:id"},
		{"/old", "", "/old"}, {"/old", "OldController#show", "OldController#show"},
		{"/old", "(other)", "/old"}, {"/old", long, "/old"}, {"/old", "a\"b", "/old"}, {"/old", "é", "/old"}, {"/old", " a", "/old"},
		{"/x", "/old", "/old"}, {"/y", "shop", "shop"},
	} {
		if got := m.ask(tc.path, 200, called(tc.name)); got != tc.want {
			t.Errorf("%s named %q counts under %s, not %s", tc.path, tc.name, got, tc.want)
		}
	}
	if got := m.ask("/shop/a", 200, called("/by-group")); got != "/by-group" {
		t.Error(got)
	}
	if got := m.ask("/by-group", 200); got != "/by-group" {
		t.Error(got)
	}
	unique(t, m)
}

// unique: no two routes have one name, or Prometheus would refuse all.
func unique(t *testing.T, m *Meter) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range m.Routes() {
		if seen[r.Name] {
			t.Errorf("two routes are called %s", r.Name)
		}
		seen[r.Name] = true
	}
}

// TestFold: below an address that has very many names they are values.
func TestFold(t *testing.T) {
	m := newMeter(t, Options{})
	word := func(i int) string { return string([]byte{'a' + byte(i/26), 'a' + byte(i%26)}) }
	for i := range maxNames {
		if got, want := m.ask("/posts/"+word(i), 200), "/posts/"+word(i); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	m.ask("/posts/aa/comments", 200)
	for _, tc := range []struct{ path, want string }{
		{"/posts/zz", "/posts/{name}"}, {"/posts/aa", "/posts/{name}"}, {"/posts/17", "/posts/{id}"},
		{"/posts/aa/comments", "/posts/{name}/comments"}, {"/posts/zy/comments", "/posts/{name}/comments"}, {"/posts", "/posts"},
	} {
		if got := m.ask(tc.path, 200); got != tc.want {
			t.Errorf("%s counts under %s, not %s", tc.path, got, tc.want)
		}
	}
	// At the root those that came first stay.
	for i := range 2 * maxNames {
		m.ask("/"+word(i), 200)
	}
	for _, tc := range []struct{ path, want string }{{"/ab", "/ab"}, {"/posts", "/posts"}, {"/zz", "/{name}"}, {"/zx", "/{name}"}, {"/zz/x", "/{name}/x"}} {
		if got := m.ask(tc.path, 200); got != tc.want {
			t.Errorf("%s counts under %s, not %s", tc.path, got, tc.want)
		}
	}
	unique(t, m)
}

// TestBounded: whatever comes in, routes and memory stay within bounds, and what
// is in use is kept.
func TestBounded(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	m := newMeter(t, Options{})
	m.ask("/in-use", 200)
	path := func() string {
		b := make([]byte, 0, 40)
		for range 1 + r.IntN(5) {
			b = append(b, '/')
			for range 1 + r.IntN(6) {
				b = append(b, byte('a'+r.IntN(26)))
			}
		}
		return string(b)
	}
	attack := func(n int) {
		for range n {
			q := func(q *Request) {
				q.Kind = Kind(r.IntN(int(kinds)))
				q.Method = string(rune('A'+r.IntN(26))) + "X"
				if r.IntN(2) == 0 {
					q.Name = path()
				}
			}
			m.ask(path(), []int{200, 301, 404, 500, 0, 999, -1}[r.IntN(7)], q)
		}
	}
	// All routes with all kinds and a history that is full.
	attack(20_000)
	for i := range Kept + 2 {
		m.Tick(time.Now().Add(time.Duration(i) * Step))
		m.ask("/in-use", 200)
	}
	attack(20_000)
	before := heap()
	attack(100_000)
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("100,000 more random requests took %d more bytes", grown)
	}
	found := m.found.Load()
	if len(found.routes) > DefaultMax || len(found.groups) > 2*DefaultMax || len(found.named) > DefaultMax {
		t.Errorf("%d routes, %d groups, %d names", len(found.routes), len(found.groups), len(found.named))
	}
	if got := m.ask("/in-use", 404); got != "/in-use" {
		t.Errorf("what is in use gave way: %s", got)
	}
	unique(t, m)
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// A route that had no request for ten minutes gives way to one that has.
func TestGivesWay(t *testing.T) {
	m := newMeter(t, Options{Max: 2})
	m.ask("/a", 200)
	m.ask("/b", 200, called("b"))
	if got := m.ask("/c", 200); got != Other {
		t.Errorf("a third is %s", got)
	}
	now := time.Now()
	for i := range int(giveWay/Step) + 1 {
		now = now.Add(Step)
		m.ask("/a", 200)
		m.Tick(now)
		if i == 0 && m.ask("/c", 200) != Other {
			t.Error("one gave way at once")
		}
	}
	for _, tc := range []struct{ path, want string }{{"/c", "/c"}, {"/b", Other}, {"/a", "/a"}} {
		if got := m.ask(tc.path, 200); got != tc.want {
			t.Errorf("%s counts under %s, not %s", tc.path, got, tc.want)
		}
	}
	if got := m.ask("/b", 200, called("b")); got != Other {
		t.Errorf("a name without room counts under %s", got)
	}
}

// TestCounts: what is told comes out.
func TestCounts(t *testing.T) {
	m := newMeter(t, Options{Declared: []Pattern{{Name: "p", Path: "/"}}})
	at := m.Find("GET", &url.URL{Path: "/x"})
	at.Begin(0)
	at.Begin(7)
	for shard, q := range []Request{
		{Method: "GET", Status: 200, Bytes: 5, First: time.Millisecond, Total: time.Second},
		{Method: "POST", Status: 503, Bytes: 6, First: 3 * time.Second, Total: 3 * time.Second},
		{Method: "BREW", Status: 418, First: time.Millisecond, Total: time.Millisecond, Gone: true},
		{Method: "GET", Status: 0, First: time.Minute, Total: time.Minute},
		{Method: "GET", Status: 200, First: time.Millisecond, Total: time.Hour, Endless: true, Broken: true},
		{Method: "GET", Status: 304, First: time.Millisecond, Total: time.Millisecond, Kind: Cache},
	} {
		m.End(at, uint32(shard), &q)
	}
	at.Finish(7)
	got := m.Routes()[0]
	if got.Name != "p" || got.Source != Declared || got.InFlight != 1 || len(got.Kinds) != 2 || got.Kinds[1].Kind != Cache || got.Kinds[1].Requests != 1 {
		t.Fatalf("%+v", got)
	}
	s := got.Kinds[0]
	have := []uint64{s.Requests, s.Errors, s.Gone, s.Broken, s.Bytes, s.By[0][2], s.By[0][0], s.By[2][5], s.By[7][4], s.First.Count(), s.Whole.Count(),
		s.First.AtMost(time.Millisecond), s.Whole.AtMost(time.Second), s.Lately.Requests, s.Lately.Errors}
	if d := cmp.Diff([]uint64{5, 1, 2, 1, 11, 2, 1, 1, 1, 4, 4, 3, 2, 5, 1}, have); d != "" {
		t.Error(d)
	}
	if s.First.Sum != 3003*time.Millisecond || s.Whole.Sum != 64001*time.Millisecond {
		t.Errorf("sums %v %v", s.First.Sum, s.Whole.Sum)
	}
}

// TestHistory: the last hour by steps, the last minutes' percentiles, the rate.
func TestHistory(t *testing.T) {
	m := newMeter(t, Options{})
	now := time.Now()
	m.last = now
	m.ask("/a", 200)
	for i := range 300 {
		for range i % 2 {
			m.ask("/a", 500, func(q *Request) { q.First = 100 * time.Millisecond })
		}
		if i == 290 {
			m.ask("/a", 200, func(q *Request) { q.First = 2 * time.Second })
		}
		now = now.Add(Step)
		m.Tick(now)
	}
	points, ok := m.History("/a", Application)
	if !ok || len(points) != Kept || !points[Kept-1].Time.Equal(now) || points[0].Time.Sub(points[1].Time) != -Step {
		t.Fatalf("%d points", len(points))
	}
	last := points[Kept-1]
	if last.Requests != 1 || last.Errors != 1 || last.Over != Step || last.P50 < 75*time.Millisecond || last.P50 > 130*time.Millisecond || points[Kept-2].P50 != 0 {
		t.Errorf("%+v", last)
	}
	m.ask("/a", 200)
	s := m.Routes()[0].Kinds[0]
	if s.Requests != 153 || s.Lately.Requests != 12 || s.Lately.Errors != 10 || s.Rate != 2.0/60 || s.Lately.P99 < 1500*time.Millisecond {
		t.Errorf("%d %+v %v", s.Requests, s.Lately, s.Rate)
	}
	for range 30 { // what was slow is out of the five minutes
		now = now.Add(Step)
		m.Tick(now)
	}
	if s := m.Routes()[0].Kinds[0]; s.Lately.Requests != 0 || s.Lately.P99 != 0 || s.Rate != 0 {
		t.Errorf("%+v", s.Lately)
	}
	if _, ok := m.History("/a", Static); ok {
		t.Error("history of nothing")
	}
}

// TestAtOnce: counting, learning, sampling and reading at once lose nothing.
func TestAtOnce(t *testing.T) {
	m := newMeter(t, Options{})
	const workers, each = 8, 2000
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				q := Request{Method: "GET", Path: fmt.Sprintf("/a/n%d", i%20), Status: 200, First: 1, Total: 1}
				if i%3 == 0 {
					q.Name = fmt.Sprint("name", i%5)
				}
				r := m.Find(q.Method, &url.URL{Path: q.Path})
				r.Begin(uint32(w))
				m.End(r, uint32(w), &q)
				r.Finish(uint32(w))
			}
		})
	}
	wg.Go(func() {
		for i := range 100 {
			m.Tick(time.Now().Add(time.Duration(i) * time.Second))
			m.Routes()
		}
	})
	wg.Wait()
	var n uint64
	for _, r := range m.Routes() {
		if r.InFlight != 0 {
			t.Errorf("%s has %d in flight", r.Name, r.InFlight)
		}
		for _, k := range r.Kinds {
			n += k.Requests
		}
	}
	if n != workers*each {
		t.Errorf("%d of %d", n, workers*each)
	}
	unique(t, m)
}

// Counting a request of a route that is known allocates nothing.
func TestAllocations(t *testing.T) {
	m := newMeter(t, Options{Declared: []Pattern{{Name: "declared", Path: "/d/{id}", Method: "GET"}}})
	for _, path := range []string{"/d/17", "/users/17/orders", "/"} {
		for _, name := range []string{"", "named"} {
			q := Request{Method: "GET", Path: path, Name: name, Status: 200, First: time.Millisecond, Total: time.Millisecond, Bytes: 1}
			u := &url.URL{Path: path}
			one := func() {
				r := m.Find("GET", u)
				r.Begin(3)
				m.End(r, 3, &q)
				r.Finish(3)
			}
			one()
			if n := testing.AllocsPerRun(100, one); n != 0 {
				t.Errorf("%s %s: %v allocations", path, name, n)
			}
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("/users/17/orders")
	f.Add("//a/./..//\x00")
	m, err := New(Options{Max: 50})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		name := m.ask(path, 200)
		if strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c > '~' || c == '"' }) || len(name) > (maxSegments+1)*(maxSegment+1) {
			t.Errorf("%q", name)
		}
		if again := m.ask(path, 200); again != name && name != Other {
			t.Errorf("%q, then %q", name, again)
		}
		if n := len(m.found.Load().routes); n > 50 {
			t.Errorf("%d routes", n)
		}
		if i := slices.Index(Methods[:], "other"); i != len(Methods)-1 {
			t.Error(i)
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	m := newMeter(b, Options{Declared: []Pattern{{Name: "item", Path: "/item/{id}"}, {Name: "api", Path: "/api/"}}})
	for _, path := range []string{"/", "/users/17/orders", "/api/v1/things/17", "/not/known"} {
		b.Run(path, func(b *testing.B) {
			var shard uint32
			var mu sync.Mutex
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				mu.Lock()
				shard++
				mine := shard
				mu.Unlock()
				status := 200
				if path == "/not/known" {
					status = 404
				}
				u := &url.URL{Path: path}
				q := Request{Method: "GET", Path: path, Status: status, First: 3 * time.Millisecond, Total: 4 * time.Millisecond, Bytes: 1000}
				for pb.Next() {
					r := m.Find("GET", u)
					r.Begin(mine)
					m.End(r, mine, &q)
					r.Finish(mine)
				}
			})
		})
	}
}
