// Package registrytest is a Go module proxy, an npm registry and a Python index
// in one handler, for tests and for trying the release watcher without the
// internet. Its answers have the shape of the real ones; its archives are
// composed here.
package registrytest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Package is one package with its versions, oldest first.
type Package struct {
	watch.ID
	Versions []Version
}

// Version of a package. Files are by path inside the archive, without the
// folder that registries wrap around them.
type Version struct {
	Version   string
	Published time.Time
	Withdrawn string // deprecated (npm) or yanked (PyPI)
	Files     map[string]string
	Raw       []byte // instead of Files: the archive's bytes, whatever they are
	Wheel     bool   // PyPI: a wheel instead of a source archive
}

// Registry serves packages. It may be changed while it serves.
type Registry struct {
	mu       sync.Mutex
	packages map[watch.ID]*Package
	archives map[string][]byte
	down     map[watch.Ecosystem]int // status instead of answers
	asked    map[string]int          // requests by path
	HTMLOnly bool                    // the Python index knows no JSON, as older mirrors
	URL      string                  // its own address, set before it serves npm
}

// New returns a registry of packages.
func New(packages ...Package) *Registry {
	r := &Registry{packages: map[watch.ID]*Package{}, archives: map[string][]byte{}, down: map[watch.Ecosystem]int{}, asked: map[string]int{}}
	for _, p := range packages {
		r.Add(p)
	}
	return r
}

// Add adds a package, or replaces it.
func (r *Registry) Add(p Package) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packages[p.ID] = &p
	clear(r.archives)
}

// Down has an ecosystem answer with a status; 0 ends it.
func (r *Registry) Down(e watch.Ecosystem, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down[e] = status
}

// Asked counts the requests of a path, those answered with 304 included.
func (r *Registry) Asked(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[path]
}

// Paths of the three registries under the server's address.
const (
	GoPath   = "/go"
	NPMPath  = "/npm"
	PyPIPath = "/pypi/simple"
)

// ServeHTTP answers as the registry whose path it is.
func (r *Registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[q.URL.Path]++
	path := q.URL.Path
	for _, s := range []struct {
		prefix    string
		ecosystem watch.Ecosystem
		serve     func(http.ResponseWriter, *http.Request, string)
	}{
		{GoPath + "/", watch.Go, r.serveGo},
		{NPMPath + "/", watch.NPM, r.serveNPM},
		{"/pypi/", watch.PyPI, r.servePyPI},
	} {
		rest, ok := strings.CutPrefix(path, s.prefix)
		if !ok {
			continue
		}
		if status := r.down[s.ecosystem]; status != 0 {
			http.Error(w, http.StatusText(status), status)
			return
		}
		s.serve(w, q, rest)
		return
	}
	http.NotFound(w, q)
}

// answer sends a document with an ETag, or 304.
func answer(w http.ResponseWriter, q *http.Request, contentType string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", contentType)
	if q.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Write(body)
}

func (p *Package) version(v string) *Version {
	for i := range p.Versions {
		if p.Versions[i].Version == v {
			return &p.Versions[i]
		}
	}
	return nil
}

// archive composes a version's archive once.
func (r *Registry) archive(p *Package, v *Version) []byte {
	if v.Raw != nil {
		return v.Raw
	}
	key := p.ID.String() + "@" + v.Version
	if b := r.archives[key]; b != nil {
		return b
	}
	var b []byte
	switch {
	case p.Ecosystem == watch.Go:
		b = Zip(p.Name+"@"+v.Version+"/", v.Files)
	case p.Ecosystem == watch.NPM:
		b = TarGz("package/", v.Files)
	case v.Wheel:
		b = Zip("", v.Files)
	default:
		b = TarGz(p.Name+"-"+v.Version+"/", v.Files)
	}
	r.archives[key] = b
	return b
}
