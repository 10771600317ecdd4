package manifest

import (
	"net/http"
	"strings"

	"github.com/dayfly-dev/dayfly/edge/traffic"
)

// EdgeRoute is requests that are measured by themselves. What belongs to none
// is grouped by its address.
type EdgeRoute struct {
	Path   string `toml:"path"`   // pattern as of net/http's ServeMux; required
	Method string `toml:"method"` // default all; GET is HEAD too
}

// Routes are what the edge measures by the names of [edge.route].
func (e *Edge) Routes() (all []traffic.Pattern) {
	for _, name := range sorted(e.Route) {
		all = append(all, traffic.Pattern{Name: name, Path: e.Route[name].Path, Method: e.Route[name].Method})
	}
	return all
}

func (c *checker) edgeRoutes() {
	mux := http.NewServeMux()
	for _, name := range sorted(c.m.Edge.Route) {
		c.name("edge.route", name)
		key, r := "edge.route."+name, c.m.Edge.Route[name]
		switch {
		case r.Path == "":
			c.fail(key, "%s has no path: add path = \"/item/{id}\"", key)
			continue
		case r.Method != "" && !methodForm.MatchString(r.Method):
			c.fail(key+".method", "%s.method is %q; write one method, such as \"POST\"", key, r.Method)
			continue
		}
		if err := pattern(r.Method, r.Path); err != nil {
			c.fail(key+".path", "%s.path: %v", key, err)
			continue
		}
		if other := conflicting(mux, r); other != "" {
			c.fail(key+".path", "%s.path: %s", key, other)
		}
	}
	if n := len(c.m.Edge.Route); n > 200 {
		c.fail("edge.route", "edge.route has %d routes; at most 200 can be", n)
	}
}

// conflicting adds a route to those before, and returns what is wrong if it
// conflicts with one of them.
func conflicting(mux *http.ServeMux, r *EdgeRoute) (why string) {
	defer func() {
		if p := recover(); p != nil {
			why = "it conflicts with that of another route: some requests are of both, and none is more specific"
		}
	}()
	mux.HandleFunc(strings.TrimSpace(r.Method+" "+r.Path), func(http.ResponseWriter, *http.Request) {})
	return ""
}
