package site

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/digest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/store"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

//go:embed templates/*.html
var templates embed.FS

// pages holds a template set for each page.
type pages struct {
	sets map[string]*template.Template
}

// frame is what every page tells the layout; pages embed it.
type frame struct {
	Title   string
	Here    string // which entry of the navigation is this page
	Refresh int    // seconds until the page loads again by itself; 0: never
}

var pageNames = []string{"home", "package", "update", "import", "problem"}

func newPages(s *Site) (*pages, error) {
	now := s.o.Now
	funcs := template.FuncMap{
		"static":     s.static.addresses.Address,
		"behindEdge": s.static.behindEdge,
		"packageURL": packageURL,
		"updateURL":  func(u store.Update) string { return digest.UpdatePath(u.ID, u.From, u.To) },
		"ago":        func(t time.Time) string { return ago(now(), t) },
		"date":       date,
		"iso":        func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"bytes":      watch.Bytes,
		"number":     thousands,
		"plural":     plural,
		"short":      short,
		"breakable":  breakable,
	}
	p := &pages{sets: map[string]*template.Template{}}
	for _, name := range pageNames {
		t, err := template.New("layout.html").Funcs(funcs).ParseFS(templates, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		p.sets[name] = t
	}
	return p, nil
}

// render writes a page whole or not at all.
func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.sets[name].Execute(&b, data); err != nil {
		s.o.Log.Error("page cannot be rendered", "page", name, "path", r.URL.Path, "error", err)
		http.Error(w, "This page cannot be shown now; it was logged.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-cache")
	if status == http.StatusOK && unchanged(w, r, tag(b.Bytes())) {
		return
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(b.Bytes())
	}
}

type problemPage struct {
	frame
	Status       int
	What, Advice string
}

func (s *Site) problem(w http.ResponseWriter, r *http.Request, status int, what, advice string) {
	s.render(w, r, status, "problem", problemPage{frame{Title: what}, status, what, advice})
}

// packageURL is the page of a package.
func packageURL(id watch.ID) string {
	return "/packages/" + string(id.Ecosystem) + "/" + escapeName(id.Name)
}

func escapeName(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// ago writes a time for people.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d.Minutes()), "minute", "minutes") + " ago"
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour", "hours") + " ago"
	case d < 60*24*time.Hour:
		return plural(int(d.Hours()/24), "day", "days") + " ago"
	}
	return date(t)
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 Jan 2006")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// breakable lets a long name be broken after its slashes.
func breakable(name string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(name), "/", "/<wbr>"))
}

// short writes a version for a narrow column: a pseudo-version by its date and commit.
func short(v string) string {
	if len(v) <= 24 {
		return v
	}
	return v[:12] + "…" + v[len(v)-8:]
}
