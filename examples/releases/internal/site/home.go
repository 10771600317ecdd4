package site

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

type homePage struct {
	frame
	Filter   filter
	Total    counts
	Projects []homeProject
	Shown    int
	Pending  int
	Digest   *store.Digest
	Empty    bool
	Checking bool // a check was asked for a moment ago
}

type homeProject struct {
	store.Project
	Lines []store.Line
	Count counts
}

// counts of packages.
type counts struct {
	Packages, Behind, Alarms, Problems int
}

func (c *counts) add(l store.Line) {
	c.Packages++
	if l.Update != nil {
		c.Behind++
		if l.Update.Summary != nil && len(l.Update.Summary.Alarms) > 0 {
			c.Alarms++
		}
	}
	if l.Package != nil && l.Package.Status != store.OK {
		c.Problems++
	}
}

// filter of the list, from the address.
type filter struct {
	Query     string
	Show      string // "", behind, alarms, problems
	Ecosystem watch.Ecosystem
	Direct    bool
}

var shows = []string{"behind", "alarms", "problems"}

func readFilter(q url.Values) filter {
	f := filter{Query: watch.Clip(strings.TrimSpace(q.Get("q")), 100), Direct: q.Get("direct") != ""}
	if slices.Contains(shows, q.Get("show")) {
		f.Show = q.Get("show")
	}
	if e := watch.Ecosystem(q.Get("ecosystem")); e.Valid() {
		f.Ecosystem = e
	}
	return f
}

// With is the address of the list with another choice of what is shown.
func (f filter) With(show string) string {
	v := url.Values{}
	for k, s := range map[string]string{"q": f.Query, "show": show, "ecosystem": string(f.Ecosystem)} {
		if s != "" {
			v.Set(k, s)
		}
	}
	if f.Direct {
		v.Set("direct", "1")
	}
	if len(v) == 0 {
		return "/"
	}
	return "/?" + v.Encode()
}

// Any reports whether anything is left out.
func (f filter) Any() bool { return f != filter{} }

func (f filter) takes(l store.Line) bool {
	if f.Direct && !l.Direct || f.Ecosystem != "" && l.Ecosystem != f.Ecosystem {
		return false
	}
	if f.Query != "" && !strings.Contains(strings.ToLower(l.Name), strings.ToLower(f.Query)) {
		return false
	}
	switch f.Show {
	case "behind":
		return l.Update != nil
	case "alarms":
		return l.Update != nil && l.Update.Summary != nil && len(l.Update.Summary.Alarms) > 0
	case "problems":
		return l.Package != nil && l.Package.Status != store.OK
	}
	return true
}

func (s *Site) home(w http.ResponseWriter, r *http.Request) {
	p := homePage{frame: frame{Title: "Packages", Here: "home"}, Filter: readFilter(r.URL.Query())}
	projects, err := s.o.DB.Projects(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	lines, err := s.o.DB.Lines(r.Context(), "")
	if err != nil {
		s.failed(w, r, err)
		return
	}
	packages, updates, err := s.o.DB.Pending(r.Context())
	if err != nil {
		s.failed(w, r, err)
		return
	}
	if p.Digest, err = s.o.DB.LastDigest(r.Context()); err != nil {
		s.failed(w, r, err)
		return
	}
	p.Pending, p.Empty = packages+updates, len(projects) == 0
	if p.Pending > 0 {
		p.Refresh = 4
	}
	p.Checking = r.URL.Query().Has("checking")
	p.fill(projects, lines)
	s.render(w, r, http.StatusOK, "home", p)
}

func (p *homePage) fill(projects []store.Project, lines []store.Line) {
	byName := map[string]*homeProject{}
	for _, project := range projects {
		p.Projects = append(p.Projects, homeProject{Project: project})
	}
	for i := range p.Projects {
		byName[p.Projects[i].Name] = &p.Projects[i]
	}
	for _, l := range lines {
		h := byName[l.Project]
		if h == nil {
			continue // deleted a moment ago
		}
		h.Count.add(l)
		p.Total.add(l)
		if p.Filter.takes(l) {
			h.Lines = append(h.Lines, l)
			p.Shown++
		}
	}
	for i := range p.Projects {
		// What is behind comes first, what the project asks for itself before the rest.
		slices.SortStableFunc(p.Projects[i].Lines, func(a, b store.Line) int {
			return cmp.Or(rank(b)-rank(a), strings.Compare(a.Name, b.Name))
		})
	}
}

func rank(l store.Line) int {
	n := 0
	if l.Update != nil {
		n += 2
		if l.Update.Summary != nil && len(l.Update.Summary.Alarms) > 0 {
			n += 4
		}
	}
	if l.Direct {
		n++
	}
	return n
}
