package registrytest

import (
	"encoding/json"
	"net/http"
	"strings"

	"golang.org/x/mod/module"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// serveGo speaks the module proxy protocol: list, latest, info, mod, zip.
func (r *Registry) serveGo(w http.ResponseWriter, q *http.Request, rest string) {
	escaped, file, ok := strings.Cut(rest, "/@")
	name, err := module.UnescapePath(escaped)
	p := r.packages[watch.ID{Ecosystem: watch.Go, Name: name}]
	if !ok || err != nil || p == nil {
		http.Error(w, "not found: module "+escaped+": no matching versions", http.StatusNotFound)
		return
	}
	switch {
	case file == "v/list":
		var b strings.Builder
		for _, v := range p.Versions {
			if !module.IsPseudoVersion(v.Version) {
				b.WriteString(v.Version + "\n")
			}
		}
		answer(w, q, "text/plain; charset=UTF-8", []byte(b.String()))
	case file == "latest":
		goInfo(w, q, &p.Versions[len(p.Versions)-1])
	default:
		r.goVersion(w, q, p, strings.TrimPrefix(file, "v/"))
	}
}

func (r *Registry) goVersion(w http.ResponseWriter, q *http.Request, p *Package, file string) {
	i := strings.LastIndexByte(file, '.')
	if i < 0 {
		http.NotFound(w, q)
		return
	}
	text, err := module.UnescapeVersion(file[:i])
	v := p.version(text)
	if err != nil || v == nil {
		http.Error(w, "not found: "+p.Name+"@"+file[:i]+": invalid version: unknown revision", http.StatusNotFound)
		return
	}
	switch file[i:] {
	case ".info":
		goInfo(w, q, v)
	case ".mod":
		mod, ok := v.Files["go.mod"]
		if !ok {
			mod = "module " + p.Name + "\n"
		}
		answer(w, q, "text/plain; charset=UTF-8", []byte(mod))
	case ".zip":
		answer(w, q, "application/zip", r.archive(p, v))
	default:
		http.NotFound(w, q)
	}
}

func goInfo(w http.ResponseWriter, q *http.Request, v *Version) {
	published := v.Published
	if published.IsZero() {
		published = made
	}
	body, err := json.Marshal(map[string]any{"Version": v.Version, "Time": published})
	must(err)
	answer(w, q, "application/json", body)
}
