package site

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"time"
)

// staticFiles serves the files that come with the program. Behind an edge that
// serves them under addresses of their content, its manifest says which; that
// file is read again when it changes, as a new version of a file may come
// while we run.
type staticFiles struct {
	files    map[string]staticFile
	manifest string
	log      *slog.Logger

	mu        sync.Mutex
	read      time.Time // of the manifest's content
	looked    time.Time
	addresses map[string]string
}

type staticFile struct {
	data []byte
	etag string
	kind string
}

// needed are files that pages name; one that is missing is found at start.
var needed = []string{"style.css", "advisory.js", "icon.svg"}

func newStatic(files fs.FS, manifest string, log *slog.Logger) (*staticFiles, error) {
	s := &staticFiles{files: map[string]staticFile{}, manifest: manifest, log: log}
	err := fs.WalkDir(files, ".", func(p string, e fs.DirEntry, err error) error {
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

// lookEvery is how often the manifest's time is asked for.
const lookEvery = 2 * time.Second

// address of a file for a page.
func (s *staticFiles) address(name string) string {
	if s.manifest != "" {
		if a := s.current()[name]; a != "" {
			return a
		}
	}
	return "/static/" + name
}

func (s *staticFiles) current() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.looked) < lookEvery {
		return s.addresses
	}
	s.looked = time.Now()
	fi, err := os.Stat(s.manifest)
	if err != nil {
		s.log.Warn("static manifest cannot be read; addresses without a version are used", "error", err)
		return s.addresses
	}
	if fi.ModTime().Equal(s.read) {
		return s.addresses
	}
	data, err := os.ReadFile(s.manifest)
	var addresses map[string]string
	if err == nil {
		err = json.Unmarshal(data, &addresses)
	}
	if err != nil {
		s.log.Warn("static manifest cannot be read", "file", s.manifest, "error", err)
		return s.addresses
	}
	s.read, s.addresses = fi.ModTime(), addresses
	return s.addresses
}

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
