package traffic

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// A Pattern is requests that are one route.
type Pattern struct {
	// Name of the route: 1–100 printable ASCII characters, without quotes and
	// backslashes, not beginning with a parenthesis.
	Name string
	// Path as http.ServeMux has it, without method and host: "/login", "/api/",
	// "/item/{id}", "/files/{path...}", "/{$}". The most specific decides.
	Path string
	// Method restricts it to one; GET is HEAD too. Default "": all.
	Method string
}

// Check returns what is wrong with a pattern.
func (p *Pattern) Check() error {
	if p.Name == "" || !validName(p.Name) {
		return fmt.Errorf("traffic: route name %q must be 1–%d printable ASCII characters, without quotes and backslashes, not beginning with (", p.Name, maxName)
	}
	return tryPattern(http.NewServeMux(), p)
}

// tryPattern registers a pattern, which panics on one that is none, or conflicts.
func tryPattern(mux *http.ServeMux, p *Pattern) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("traffic: route %s: %v", p.Name, reason)
		}
	}()
	if !strings.HasPrefix(p.Path, "/") || strings.ContainsAny(p.Path, " \t") || strings.ContainsFunc(p.Method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		return fmt.Errorf("traffic: route %s: %q is not a path such as \"/login\", \"/api/\" or \"/item/{id}\"", p.Name, strings.TrimSpace(p.Method+" "+p.Path))
	}
	mux.Handle(strings.TrimSpace(p.Method+" "+p.Path), http.NotFoundHandler())
	return nil
}

// patterns finds declared routes as http.ServeMux would, which takes a lock and
// allocates.
type patterns struct {
	routes []*Route
	any    *branch            // of all methods
	of     map[string]*branch // of one
}

// Check returns what is wrong with patterns: one that is none, two that
// conflict, too many.
func Check(all []Pattern) error {
	if len(all) > maxDeclared {
		return fmt.Errorf("traffic: %d routes are declared; at most %d can be", len(all), maxDeclared)
	}
	mux := http.NewServeMux()
	for _, x := range all {
		if err := x.Check(); err != nil {
			return err
		}
		if err := tryPattern(mux, &x); err != nil {
			return err
		}
	}
	return nil
}

// Declare replaces the declared routes; those that keep their name keep their
// counts. Nothing changes if Check finds something wrong.
func (m *Meter) Declare(all []Pattern) error {
	if err := Check(all); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := map[string]*Route{}
	if p := m.declared.Load(); p != nil {
		for _, r := range p.routes {
			known[r.name] = r
		}
	}
	if len(all) == 0 {
		m.declared.Store(nil)
		m.forget(nil)
		return nil
	}
	p := &patterns{of: map[string]*branch{}}
	for _, x := range all {
		r := known[x.Name]
		if r == nil {
			r = m.route(x.Name, Declared)
			known[x.Name] = r
		}
		if !slices.Contains(p.routes, r) {
			p.routes = append(p.routes, r)
		}
		if x.Method == "" {
			p.any = p.any.plant(x.Path, r)
		} else {
			p.of[x.Method] = p.of[x.Method].plant(x.Path, r)
		}
	}
	m.declared.Store(p)
	m.forget(p.routes)
	return nil
}

// A branch is patterns that begin alike.
type branch struct {
	below map[string]*branch // by segment; "/" is the end of {$}
	one   *branch            // {name}
	deep  *Route             // {name...}, or a slash at the end
	parts int                // segments of deep's pattern
	leaf  *Route             // of a pattern that ends here
}

func (b *branch) plant(pattern string, r *Route) *branch {
	if b == nil {
		b = &branch{}
	}
	at := b
	for rest, parts, more := pattern[1:], 1, true; more; parts++ {
		var s string
		s, rest, more = strings.Cut(rest, "/")
		switch {
		case !more && (s == "" || strings.HasSuffix(s, "...}")):
			at.deep, at.parts = r, parts
			return b
		case s == "{$}":
			at = at.child("/")
		case strings.HasPrefix(s, "{"):
			if at.one == nil {
				at.one = &branch{}
			}
			at = at.one
		default:
			at = at.child(unescape(s))
		}
	}
	at.leaf = r
	return b
}

func (b *branch) child(s string) *branch {
	if b.below == nil {
		b.below = map[string]*branch{}
	}
	if b.below[s] == nil {
		b.below[s] = &branch{}
	}
	return b.below[s]
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

// find returns the route of a request, nil if none was declared for it.
func (p *patterns) find(method string, u *url.URL) *Route {
	w := walk{path: u.Path}
	if u.RawPath != "" { // it has slashes in segments, or the like
		w = walk{path: u.EscapedPath(), escaped: true}
	}
	if w.path == "" || w.path[0] != '/' {
		return nil
	}
	if strings.Contains(w.path, "//") || strings.Contains(w.path, "/.") {
		w.path = clean(w.path)
	}
	r, parts := p.match(method, &w)
	ends, slashes := w.path[len(w.path)-1] == '/', strings.Count(w.path, "/")
	if ends || r != nil && parts == 0 {
		return r
	}
	// It is on its way to the same with a slash, if just that is there.
	w.slash = true
	if to, parts := p.match(method, &w); to != nil && (parts == 0 || parts == slashes+1) {
		return to
	}
	return r
}

// clean is a path without empty and dot segments that keeps its last slash.
func clean(p string) string {
	c := path.Clean(p)
	if c != "/" && strings.HasSuffix(p, "/") {
		c += "/"
	}
	return c
}

// A walk is a path on its way through the branches.
type walk struct {
	path    string
	escaped bool
	slash   bool // as if the path had one more at its end
}

func (p *patterns) match(method string, w *walk) (*Route, int) {
	if r, parts := p.of[method].match(w, w.path, w.slash); r != nil {
		return r, parts
	}
	if method == http.MethodHead {
		if r, parts := p.of[http.MethodGet].match(w, w.path, w.slash); r != nil {
			return r, parts
		}
	}
	return p.any.match(w, w.path, w.slash)
}

// match finds what the rest of a path leads to: names before {name} before all
// that is deeper, of which it returns the segments too.
func (b *branch) match(w *walk, rest string, slash bool) (*Route, int) {
	if b == nil {
		return nil, 0
	}
	if rest == "" && slash {
		rest, slash = "/", false
	}
	if rest == "" {
		return b.leaf, 0
	}
	s, after := "/", ""
	if rest != "/" {
		s = rest[1:]
		if i := strings.IndexByte(s, '/'); i >= 0 {
			s, after = s[:i], s[i:]
		}
		if w.escaped {
			s = unescape(s)
		}
	}
	if r, parts := b.below[s].match(w, after, slash); r != nil {
		return r, parts
	}
	if s != "/" {
		if r, parts := b.one.match(w, after, slash); r != nil {
			return r, parts
		}
	}
	return b.deep, b.parts
}
