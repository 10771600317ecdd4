package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/edge/accept"
	"github.com/dayfly-dev/dayfly/edge/versions"
)

// staticFiles serves a folder out of memory. A request is answered from a map
// of addresses, never from a path on disk. What the map does not hold is looked
// for among the versions that were, and in the archive.
type staticFiles struct {
	opt  Static
	log  *slog.Logger
	root *os.Root

	table  atomic.Pointer[staticTable]
	past   pastFiles
	lookup lookup

	scanMu   sync.Mutex // one scan at a time; guards what follows
	onDisk   map[string]*diskFile
	versions map[string]*versions.Version
	warned   map[string]bool
	troubled bool // the archive was, when last asked

	compress chan struct{} // holds one: there are files to compress
	ctx      context.Context
	stop     context.CancelFunc
	wg       sync.WaitGroup
}

// A staticTable is what is in the folder at one moment; it is replaced, not
// changed.
type staticTable struct {
	byName    map[string]*staticFile // "css/app.css"
	byAddress map[string]*staticFile // "css/app.<hash>.css"
}

// openStatic reads the folder and has its versions kept in the archive. Files
// are compressed afterwards, beside serving: until then they are sent as they
// are.
func openStatic(opt Static, log *slog.Logger) (*staticFiles, error) {
	root, err := os.OpenRoot(opt.Dir)
	if err != nil {
		return nil, fmt.Errorf("edge: static folder: %w", err)
	}
	s := &staticFiles{opt: opt, log: log, root: root, warned: map[string]bool{}, compress: make(chan struct{}, 1)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.lookup.slots = make(chan struct{}, lookupsAtOnce)
	s.table.Store(&staticTable{})
	if _, err := s.scan(); err != nil {
		s.stop()
		root.Close()
		return nil, fmt.Errorf("edge: static folder %s: %w", opt.Dir, err)
	}
	s.wg.Go(s.compressor)
	if opt.Rescan > 0 {
		s.wg.Go(s.watcher)
	}
	if opt.Archive != nil {
		s.wg.Go(s.tender)
	}
	return s, nil
}

func (s *staticFiles) close() {
	s.stop()
	s.wg.Wait()
	s.root.Close()
}

// watcher scans again and again; a scan takes at most a twentieth of the time.
func (s *staticFiles) watcher() {
	wait := s.opt.Rescan
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
		start := time.Now()
		if _, err := s.scan(); err != nil {
			s.scanMu.Lock()
			s.warn("", "static folder not read; serving what was", "error", err)
			s.scanMu.Unlock()
		}
		timer.Reset(max(wait, 20*time.Since(start)))
	}
}

// manifest returns name → address of what is on disk now.
func (s *staticFiles) manifest() map[string]string {
	m := map[string]string{}
	for name, f := range s.table.Load().byName {
		m[name] = s.opt.Prefix + escapePath(f.address)
	}
	return m
}

// writeManifest replaces Static.ManifestFile.
func (s *staticFiles) writeManifest() error {
	if s.opt.ManifestFile == "" {
		return nil
	}
	data, err := json.MarshalIndent(s.manifest(), "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(s.opt.ManifestFile, append(data, '\n'), false); err != nil {
		return fmt.Errorf("static manifest: %w", err)
	}
	return nil
}

// replaceFile writes a file under another name and renames it, so that a reader
// finds the old content or the new. With durable it is on disk on return.
func replaceFile(name string, data []byte, durable bool) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil && durable {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	if durable {
		return syncDir(filepath.Dir(name))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// serve answers a request below the prefix.
func (s *staticFiles) serve(x *exchange) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.page(http.StatusMethodNotAllowed, pageText{"Not possible here", "A file can only be read."})
		return
	}
	name := strings.TrimPrefix(x.r.URL.Path, s.opt.Prefix)
	t := s.table.Load()
	if f := t.byAddress[name]; f != nil {
		f.serve(x, immutable)
	} else if f := t.byName[name]; f != nil {
		f.serve(x, revalidated)
	} else if f := s.past.get(name); f != nil {
		f.serve(x, immutable)
	} else {
		s.serveArchived(x, name)
	}
}

var (
	immutable   = []string{"public, max-age=31536000, immutable"}
	revalidated = []string{"no-cache"}
	varyOn      = []string{"Accept-Encoding"}
	nosniff     = []string{"nosniff"}
	byteRanges  = []string{"bytes"}
)

// serve answers with the file in the encoding that suits the client best.
func (f *staticFile) serve(x *exchange, cacheControl []string) {
	h := x.Header()
	enc := identity
	if f.compressible {
		h["Vary"] = varyOn
		enc = f.choose(accept.ParseEncoding(x.r.Header["Accept-Encoding"]))
	}
	ranged := rangeAsked(x.r)
	if ranged {
		enc = identity // ranges are of the file as it is
	}
	v := f.variants[enc].Load()
	h["Content-Type"] = f.contentType
	h["Cache-Control"] = cacheControl
	h["X-Content-Type-Options"] = nosniff
	h["Etag"] = v.etag
	if enc == identity {
		h["Accept-Ranges"] = byteRanges
	}
	x.setup.cors.Apply(h, x.r)
	if ranged {
		http.ServeContent(x, x.r, "", time.Time{}, bytes.NewReader(v.data))
		return
	}
	if im := x.r.Header["If-Match"]; im != nil && !f.current(im) {
		delete(h, "Content-Type")
		h["Content-Length"] = []string{"0"}
		x.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	if inm := x.r.Header["If-None-Match"]; inm != nil && matchesETag(inm, v.etag[0]) {
		delete(h, "Content-Type")
		x.WriteHeader(http.StatusNotModified)
		return
	}
	if enc != identity {
		h["Content-Encoding"] = v.encoding
	}
	h["Content-Length"] = v.length
	x.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		x.Write(v.data)
	}
}

// matchesETag reports whether a list of entity tags has this one, weakly
// compared (RFC 9110, section 13.1.2).
func matchesETag(values []string, etag string) bool {
	for _, v := range values {
		if strings.TrimSpace(v) == "*" {
			return true
		}
		for part := range strings.SplitSeq(v, ",") { // our tags hold no comma
			if strings.TrimPrefix(strings.TrimSpace(part), "W/") == etag {
				return true
			}
		}
	}
	return false
}

// warn logs once what would else be logged at every scan.
func (s *staticFiles) warn(name, message string, args ...any) {
	if !s.warned[name+message] {
		s.warned[name+message] = true
		s.log.Warn(message, args...)
	}
}

// served reports whether a directory entry is of the kind that is served.
func served(d fs.DirEntry) bool {
	return !strings.HasPrefix(d.Name(), ".")
}
