// Package assets gives an application's pages the addresses of its static files.
//
// `dayfly up` serves the folder of [static] under addresses that change with the
// content, and tells the application of a file that names them: STATIC_MANIFEST,
// a JSON object of address by name. That file is replaced when a file of the
// folder changes, also while the application runs.
//
//	files, err := assets.Open(os.Getenv("STATIC_MANIFEST"), nil)
//	page := template.New("page").Funcs(files.Funcs())
//	// <link rel="stylesheet" href="{{static "css/app.css"}}">
package assets

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	maxManifest = 64 << 20 // bytes
	lookEvery   = time.Second
)

// Options of Files. Nil means the defaults.
type Options struct {
	// Prefix is where files are that the manifest does not have, as of an
	// application that runs without an edge; it begins and ends with a slash.
	// Default "/static/".
	Prefix string
	// Log is told when the manifest cannot be read, and of names that it does not
	// have, each once. Default: discarded.
	Log *slog.Logger
}

// Files are the static files of a site. All methods may be called at once.
type Files struct {
	manifest string
	prefix   string
	log      *slog.Logger

	mu        sync.Mutex
	looked    time.Time
	read      os.FileInfo // of the manifest that addresses is
	addresses map[string]string
	told      map[string]bool
}

// Open reads a manifest. An empty name stands for none: then every address is
// the prefix and the name. It is an error if the manifest cannot be read now;
// later the addresses that were last read stay.
func Open(manifest string, o *Options) (*Files, error) {
	f := &Files{manifest: manifest, prefix: "/static/", log: slog.New(slog.DiscardHandler), told: map[string]bool{}}
	if o != nil && o.Prefix != "" {
		f.prefix = o.Prefix
	}
	if o != nil && o.Log != nil {
		f.log = o.Log
	}
	if !strings.HasPrefix(f.prefix, "/") || !strings.HasSuffix(f.prefix, "/") {
		return nil, fmt.Errorf("assets: prefix %q must begin and end with a slash, such as /static/", f.prefix)
	}
	if manifest == "" {
		return f, nil
	}
	return f, f.reload(time.Now())
}

// Address is where a file is, by its name below the folder: "css/app.css" is at
// "/static/css/app.0123456789abcdef.css". A file that the manifest does not have
// is at its plain name under the prefix. A changed manifest is seen within a
// second.
func (f *Files) Address(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.manifest != "" {
		if now := time.Now(); now.Sub(f.looked) >= lookEvery {
			if err := f.reload(now); err != nil {
				f.tell("", "static manifest not read; the addresses from before are used", "error", err)
			}
		}
		if a := f.addresses[name]; a != "" {
			return a
		}
		f.tell(name, "static manifest has no such file", "file", name)
	}
	return (&url.URL{Path: f.prefix + name}).EscapedPath()
}

// Funcs are for html/template and text/template: {{static "css/app.css"}}.
func (f *Files) Funcs() template.FuncMap { return template.FuncMap{"static": f.Address} }

// reload reads the manifest if it has been replaced.
func (f *Files) reload(now time.Time) error {
	f.looked = now
	file, err := os.Open(f.manifest)
	if err != nil {
		return fmt.Errorf("static manifest: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("static manifest: %w", err)
	}
	if f.read != nil && os.SameFile(f.read, info) && f.read.ModTime().Equal(info.ModTime()) && f.read.Size() == info.Size() {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(file, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = errors.New("too large")
	}
	var addresses map[string]string
	if err == nil {
		err = json.Unmarshal(data, &addresses)
	}
	if err != nil {
		return fmt.Errorf("static manifest %s: %w", f.manifest, err)
	}
	f.read, f.addresses = info, addresses
	clear(f.told)
	return nil
}

// tell logs once until the manifest is another.
func (f *Files) tell(what, message string, args ...any) {
	if !f.told[what] && len(f.told) < 1000 {
		f.told[what] = true
		f.log.Warn(message, args...)
	}
}
