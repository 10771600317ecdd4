package registrytest

import (
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// serveNPM serves metadata, abbreviated when asked for, and tarballs.
func (r *Registry) serveNPM(w http.ResponseWriter, q *http.Request, rest string) {
	if name, file, ok := strings.Cut(rest, "/-/"); ok {
		p := r.packages[watch.ID{Ecosystem: watch.NPM, Name: name}]
		if p != nil {
			v := strings.TrimSuffix(strings.TrimPrefix(file, path.Base(name)+"-"), ".tgz")
			if found := p.version(v); found != nil {
				answer(w, q, "application/octet-stream", r.archive(p, found))
				return
			}
		}
		npmMissing(w)
		return
	}
	p := r.packages[watch.ID{Ecosystem: watch.NPM, Name: rest}]
	if p == nil {
		npmMissing(w)
		return
	}
	short := strings.Contains(q.Header.Get("Accept"), "application/vnd.npm.install-v1+json")
	kind := "application/json"
	if short {
		kind = "application/vnd.npm.install-v1+json"
	}
	body, err := json.Marshal(r.npmDocument(p, short))
	must(err)
	answer(w, q, kind, body)
}

func npmMissing(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	w.Write([]byte(`{"error":"Not found"}`))
}

func (r *Registry) npmDocument(p *Package, short bool) map[string]any {
	versions, times := map[string]any{}, map[string]any{}
	latest := ""
	for i := range p.Versions {
		v := &p.Versions[i]
		data := r.archive(p, v)
		sri, sha := sha512.Sum512(data), sha1.Sum(data)
		one := map[string]any{}
		// The registry copies package.json into its answer.
		if err := json.Unmarshal([]byte(v.Files["package.json"]), &one); err != nil {
			one = map[string]any{}
		}
		one["name"], one["version"] = p.Name, v.Version
		one["dist"] = map[string]any{
			"tarball":   r.URL + NPMPath + "/" + p.Name + "/-/" + path.Base(p.Name) + "-" + v.Version + ".tgz",
			"integrity": "sha512-" + base64.StdEncoding.EncodeToString(sri[:]),
			"shasum":    hex.EncodeToString(sha[:]),
		}
		if v.Withdrawn != "" {
			one["deprecated"] = v.Withdrawn
		}
		versions[v.Version] = one
		times[v.Version] = v.Published
		if v.Withdrawn == "" && !strings.Contains(v.Version, "-") {
			latest = v.Version
		}
	}
	doc := map[string]any{"name": p.Name, "dist-tags": map[string]string{"latest": latest}, "versions": versions}
	if short {
		doc["modified"] = made
	} else {
		doc["_id"], doc["time"] = p.Name, times
	}
	return doc
}
