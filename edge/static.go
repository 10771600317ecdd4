package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

// close ends it, and waits for all that goes on beside serving.
func (s *staticFiles) close() {
	s.lookup.mu.Lock()
	s.stop() // no lookup begins after this
	s.lookup.mu.Unlock()
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
