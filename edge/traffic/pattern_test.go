package traffic

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPatterns: what http.ServeMux would choose is chosen, of every path that
// such patterns are about, and of odd ones.
func TestPatterns(t *testing.T) {
	sets := [][]string{
		{"/"}, {"/{$}"}, {"/a"}, {"/a/"}, {"/a/{$}"}, {"/{x}"}, {"/{x...}"}, {"/a/{x}/"}, {"/a/{x...}", "/a"},
		{"/", "/{$}", "/a", "/a/", "/a/{x}", "/a/b", "/a/b/{rest...}", "/c/{x}/d", "/c/e/{y}/f"},
		{"/a/{$}", "GET /a/c", "POST /a/c", "/a/{x}/d", "GET /b/", "HEAD /b/x", "/b/"},
		{"GET /", "POST /{$}", "GET /a/{x}/c/{y}", "GET /a/b/c/{$}", "GET /a/{x...}"}, {"/a%2Fb", "/a/b", "/{x}"}, {"/é/{x}", "/a b"},
	}
	segments := []string{"", "a", "b", "c", "d", "e", "f", "é", "a%2Fb", ".", "..", "%2F", "a%20b"}
	n := 0
	for _, set := range sets {
		var declared []Pattern
		mux := http.NewServeMux()
		for _, p := range set {
			method, path, ok := strings.Cut(p, " ")
			if !ok || method == "/a" {
				method, path = "", p
			}
			declared = append(declared, Pattern{Name: "r" + strings.NewReplacer("é", "e", " ", "_").Replace(p), Path: path, Method: method})
		}
		if set[len(set)-1] == "/a b" {
			declared = declared[:len(declared)-1]
		}
		for _, d := range declared {
			mux.Handle(strings.TrimSpace(d.Method+" "+d.Path), http.NotFoundHandler())
		}
		m, err := New(Options{Declared: declared})
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(segments) * len(segments) * len(segments) {
			path := ""
			for j := i; j > 0; j /= len(segments) {
				path += "/" + segments[j%len(segments)]
			}
			for _, method := range []string{"GET", "HEAD", "POST"} {
				n++
				same(t, m, mux, declared, method, path)
			}
		}
	}
	t.Logf("%d requests", n)
}

func same(t *testing.T, m *Meter, mux *http.ServeMux, declared []Pattern, method, path string) {
	t.Helper()
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return
	}
	_, pattern := mux.Handler(&http.Request{Method: method, URL: u})
	want := Other
	for _, d := range declared {
		if pattern == strings.TrimSpace(d.Method+" "+d.Path) {
			want = d.Name
		}
	}
	if got := m.Find(method, u).Name(); got != want {
		t.Errorf("%s %s is of %s, and of %s for ServeMux", method, path, got, want)
	}
}

// FuzzPatterns: the same for any path, and what ServeMux takes for a pattern.
func FuzzPatterns(f *testing.F) {
	f.Add("/a/{x}", "/a/", "GET", "/a/b")
	f.Add("/{x...}", "/{$}", "POST", "/%2F/..//")
	f.Add("/a/{$}", "/a", "HEAD", "/a/")
	f.Fuzz(func(t *testing.T, one, two, method, path string) {
		declared := []Pattern{{Name: "one", Path: one}, {Name: "two", Path: two, Method: "GET"}}
		m, err := New(Options{Declared: declared})
		if err != nil || !strings.HasPrefix(path, "/") || method == "CONNECT" { // which ServeMux does not clean
			return
		}
		mux := http.NewServeMux()
		for _, d := range declared {
			mux.Handle(strings.TrimSpace(d.Method+" "+d.Path), http.NotFoundHandler())
		}
		same(t, m, mux, declared, method, path)
	})
}

func TestWrongPatterns(t *testing.T) {
	for _, tc := range []struct {
		declared []Pattern
		want     string
	}{
		{[]Pattern{{Name: "", Path: "/"}}, `route name "" must be`},
		{[]Pattern{{Name: "(other)", Path: "/"}}, `not beginning with (`},
		{[]Pattern{{Name: "a", Path: "a"}}, `"a" is not a path such as`},
		{[]Pattern{{Name: "a", Path: "/{"}}, `bad wildcard`},
		{[]Pattern{{Name: "a", Path: "/", Method: "get"}}, `"get /" is not a path`},
		{[]Pattern{{Name: "a", Path: "/{x}/b"}, {Name: "b", Path: "/a/{y}"}}, `conflicts with pattern`},
		{make([]Pattern, 201), `201 routes are declared; at most 200`},
	} {
		if _, err := New(Options{Declared: tc.declared}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, not %s", tc.declared, err, tc.want)
		}
	}
}

// TestDeclareAgain: what keeps its name keeps its counts.
func TestDeclareAgain(t *testing.T) {
	m := newMeter(t, Options{Declared: []Pattern{{Name: "a", Path: "/a/"}, {Name: "b", Path: "/b/"}}})
	m.ask("/a/1", 200)
	m.ask("/b/1", 200)
	m.ask("/c", 200)
	m.ask("/x", 200, called("b"))
	m.ask("/y", 200, called("c"))
	if err := m.Declare([]Pattern{{Name: "a", Path: "/aa/"}, {Name: "c", Path: "/b/"}, {Name: "/c", Path: "/cc"}}); err != nil {
		t.Fatal(err)
	}
	if err := m.Declare([]Pattern{{Name: "a", Path: "a"}}); err == nil {
		t.Error("a wrong pattern was taken")
	}
	for _, tc := range []struct{ path, want string }{{"/aa/1", "a"}, {"/b/1", "c"}, {"/a/1", "/a/{id}"}, {"/cc", "/c"}, {"/c", "/c"}, {"/x", "/x"}, {"/y", "/y"}} {
		if got := m.ask(tc.path, 200); got != tc.want {
			t.Errorf("%s counts under %s, not %s", tc.path, got, tc.want)
		}
	}
	if got := m.ask("/z", 200, called("c")); got != "c" {
		t.Error(got)
	}
	if r := m.Routes()[0]; r.Name != "a" || r.Kinds[0].Requests != 2 {
		t.Errorf("%+v", r)
	}
	unique(t, m)
	m.ask("/w", 200, called("a"))
	if err := m.Declare(nil); err != nil || m.ask("/aa/1", 200) != "/aa/{id}" || m.ask("/w", 200) != "/w" {
		t.Errorf("none is declared, and still: %v", err)
	}
}
