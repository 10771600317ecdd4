package site

import (
	"fmt"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/dayfly-dev/dayfly/assets"
)

// staticFiles serves the files that come with the program. Behind an edge that
// serves them under addresses of their content, its manifest says which.
type staticFiles struct {
	files     map[string]staticFile
	manifest  string
	addresses *assets.Files
}

type staticFile struct {
	data []byte
	etag string
	kind string
}

// needed are files that pages name; one that is missing is found at start.
var needed = []string{"style.css", "advisory.js", "icon.svg"}

func newStatic(files fs.FS, manifest string, log *slog.Logger) (*staticFiles, error) {
	addresses, err := assets.Open(manifest, &assets.Options{Log: log})
	if err != nil {
		return nil, err
	}
	s := &staticFiles{files: map[string]staticFile{}, manifest: manifest, addresses: addresses}
	err = fs.WalkDir(files, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, p)
		if err != nil {
			return err
		}
		kind := mime.TypeByExtension(path.Ext(p))
		if path.Ext(p) == ".js" {
			kind = "text/javascript; charset=utf-8"
		}
		s.files[p] = staticFile{data: data, etag: tag(data), kind: kind}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	for _, name := range needed {
		if _, ok := s.files[name]; !ok {
			return nil, fmt.Errorf("static file %s is missing", name)
		}
	}
	return s, nil
}

// behindEdge: an edge of Dayfly's serves these files and its own script.
func (s *staticFiles) behindEdge() bool { return s.manifest != "" }

// ServeHTTP serves a file under its plain name, to be asked for again.
func (s *staticFiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := s.files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Cache-Control", "public, no-cache")
	if unchanged(w, r, f.etag) {
		return
	}
	w.Write(f.data)
}
