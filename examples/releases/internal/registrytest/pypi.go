package registrytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// servePyPI serves the simple API in JSON or HTML, as asked, and files.
func (r *Registry) servePyPI(w http.ResponseWriter, q *http.Request, rest string) {
	if file, ok := strings.CutPrefix(rest, "files/"); ok {
		r.pypiFile(w, q, file)
		return
	}
	name, ok := strings.CutPrefix(rest, "simple/")
	p := r.packages[watch.ID{Ecosystem: watch.PyPI, Name: strings.TrimSuffix(name, "/")}]
	if !ok || p == nil {
		http.NotFound(w, q)
		return
	}
	if !r.HTMLOnly && strings.Contains(q.Header.Get("Accept"), "application/vnd.pypi.simple.v1+json") {
		answer(w, q, "application/vnd.pypi.simple.v1+json", r.pypiJSON(p))
		return
	}
	answer(w, q, "text/html", r.pypiHTML(p))
}

func pypiName(p *Package, v *Version) string {
	if v.Wheel {
		return strings.ReplaceAll(p.Name, "-", "_") + "-" + v.Version + "-py3-none-any.whl"
	}
	return p.Name + "-" + v.Version + ".tar.gz"
}

func (r *Registry) pypiFile(w http.ResponseWriter, q *http.Request, file string) {
	for _, p := range r.packages {
		for i := range p.Versions {
			if v := &p.Versions[i]; p.Ecosystem == watch.PyPI && pypiName(p, v) == file {
				answer(w, q, "application/octet-stream", r.archive(p, v))
				return
			}
		}
	}
	http.NotFound(w, q)
}

func (r *Registry) pypiJSON(p *Package) []byte {
	files, versions := []any{}, []string{}
	for i := range p.Versions {
		v := &p.Versions[i]
		sum := sha256.Sum256(r.archive(p, v))
		var yanked any = false
		if v.Withdrawn != "" {
			yanked = v.Withdrawn
		}
		files = append(files, map[string]any{
			"filename": pypiName(p, v), "url": "../../files/" + pypiName(p, v),
			"hashes": map[string]string{"sha256": hex.EncodeToString(sum[:])}, "yanked": yanked,
			"requires-python": ">=3.8", "size": len(r.archive(p, v)), "upload-time": v.Published.Format("2006-01-02T15:04:05.000000Z"),
		})
		versions = append(versions, v.Version)
	}
	body, err := json.Marshal(map[string]any{
		"meta": map[string]any{"api-version": "1.1"}, "name": p.Name, "files": files, "versions": versions,
	})
	must(err)
	return body
}

func (r *Registry) pypiHTML(p *Package) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html>\n<head><meta name=\"pypi:repository-version\" content=\"1.1\"><title>Links for %s</title></head>\n<body>\n<h1>Links for %s</h1>\n", p.Name, p.Name)
	for i := range p.Versions {
		v := &p.Versions[i]
		sum := sha256.Sum256(r.archive(p, v))
		yanked := ""
		if v.Withdrawn != "" {
			yanked = ` data-yanked="` + html.EscapeString(v.Withdrawn) + `"`
		}
		fmt.Fprintf(&b, "<a href=\"../../files/%s#sha256=%x\" data-requires-python=\"&gt;=3.8\"%s>%s</a><br />\n", pypiName(p, v), sum, yanked, pypiName(p, v))
	}
	b.WriteString("</body>\n</html>\n")
	return b.Bytes()
}
