package edge

import (
	"bytes"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/edge/versions"
)

const minCompress = 1 << 10 // bytes; below, headers outweigh what is saved

// A diskFile is a file as it is in the folder.
type diskFile struct {
	*versions.File
	size     int64
	modified time.Time // zero: look again
}

// A staticFile is one file with one content.
type staticFile struct {
	name         string
	address      string // name with a hash before its extension
	size         int64
	contentType  []string
	compressible bool
	compressed   atomic.Bool // all variants that will be are there
	variants     [encodings]atomic.Pointer[variant]
}

func newStaticFile(name, address, hash string, data []byte) *staticFile {
	f := &staticFile{name: name, address: address, size: int64(len(data)), contentType: []string{contentTypeOf(name, data)}}
	f.compressible = len(data) >= minCompress && isCompressible(f.contentType[0])
	f.variants[identity].Store(newVariant(data, hash, identity))
	return f
}

// A variant is a file's content in one encoding, with the headers that belong
// to it. It is never changed.
type variant struct {
	data     []byte
	etag     []string
	length   []string
	encoding []string
	system   systemFile
	heads    [2]atomic.Pointer[[]byte] // of staticFile.head, made when they are asked for
}

func newVariant(data []byte, hash string, e encoding) *variant {
	tag := `"` + hash + `"`
	if e != identity {
		tag = `"` + hash + "-" + e.String() + `"`
	}
	return &variant{data: data, etag: []string{tag}, length: []string{strconv.Itoa(len(data))}, encoding: []string{e.String()}}
}

// scan reads what is new or has changed and reports whether anything did. New
// versions are in the archive before a page can name them.
func (s *staticFiles) scan() (changed bool, err error) {
	s.scanMu.Lock()
	defer s.scanMu.Unlock()
	found, err := s.walk()
	if err != nil {
		return false, err
	}
	files := make(map[string]*versions.File, len(found))
	same := s.onDisk != nil && len(found) == len(s.onDisk)
	for name, f := range found {
		files[name] = f.File
		same = same && s.onDisk[name] != nil && s.onDisk[name].File == f.File
	}
	s.onDisk = found
	if same {
		return false, nil
	}
	all := versions.Build(files, s.versions)
	for _, p := range versions.Problems(files) {
		s.warn(p.File, p.Text, "file", p.File, "line", p.Line)
	}
	first := s.versions == nil
	s.versions = all
	s.keepNew(first)
	s.publish(all)
	return true, s.writeManifest()
}

// walk looks at every file of the folder.
func (s *staticFiles) walk() (map[string]*diskFile, error) {
	found := make(map[string]*diskFile, len(s.onDisk))
	var total int64
	err := fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			s.warn(name, "static file not read", "file", name, "error", err)
			return nil
		case name != "." && !served(d):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		f := s.look(name, d, s.onDisk[name], s.opt.MaxBytes-total)
		switch {
		case f == nil:
		case len(found) >= s.opt.MaxFiles:
			s.warn("", "static folder has more files than are served", "limit", s.opt.MaxFiles)
			return fs.SkipAll
		default:
			total += f.size
			found[name] = f
		}
		return nil
	})
	return found, err
}

// look returns the file as it is on disk: the one known, or one newly read;
// nil if it cannot be served.
func (s *staticFiles) look(name string, d fs.DirEntry, known *diskFile, room int64) *diskFile {
	info, err := d.Info()
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		info, err = s.root.Stat(name)
	}
	if err != nil || !info.Mode().IsRegular() {
		if err != nil {
			s.warn(name, "static file not read", "file", name, "error", err)
		}
		return nil
	}
	if known != nil && known.size == info.Size() && known.modified.Equal(info.ModTime()) {
		return known
	}
	if info.Size() > room {
		s.warn(name, "static file left out: the folder is larger than what is kept in memory", "file", name, "limit", s.opt.MaxBytes)
		return nil
	}
	f, err := s.root.Open(name)
	if err != nil {
		s.warn(name, "static file not read", "file", name, "error", err)
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, room+1))
	if err != nil || int64(len(data)) > room {
		s.warn(name, "static file not read", "file", name, "error", err)
		return nil
	}
	n := &diskFile{size: info.Size(), modified: info.ModTime()}
	if int64(len(data)) != n.size {
		n.modified = time.Time{} // it is being written: look again
	}
	if known != nil && bytes.Equal(known.Data, data) {
		n.File = known.File // touched only
	} else {
		n.File = versions.Read(name, s.opt.Prefix, slices.Clip(data))
	}
	return n
}

// publish puts a new table in place; what it replaces stays under its address
// while there is room.
func (s *staticFiles) publish(all map[string]*versions.Version) {
	before := s.table.Load()
	t := &staticTable{byName: make(map[string]*staticFile, len(all)), byAddress: make(map[string]*staticFile, len(all))}
	for name, v := range all {
		f := before.byName[name]
		if f == nil || f.address != v.Address {
			f = newStaticFile(name, v.Address, v.Hash, v.Data)
		}
		t.byName[name], t.byAddress[f.address] = f, f
	}
	for name, f := range before.byName {
		if t.byName[name] != f {
			s.past.add(f)
		}
	}
	s.table.Store(t)
	nudge(s.compress)
}

func escapePath(p string) string { return (&url.URL{Path: p}).EscapedPath() }

// contentTypes are those the web uses; the table of the machine, which differs
// from one to the next, is asked for others only.
var contentTypes = map[string]string{
	".avif": "image/avif", ".bmp": "image/bmp", ".css": "text/css; charset=utf-8", ".csv": "text/csv; charset=utf-8",
	".eot": "application/vnd.ms-fontobject", ".gif": "image/gif", ".htm": "text/html; charset=utf-8",
	".html": "text/html; charset=utf-8", ".ico": "image/x-icon", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".js": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json",
	".md": "text/markdown; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".mp3": "audio/mpeg", ".mp4": "video/mp4",
	".otf": "font/otf", ".pdf": "application/pdf", ".png": "image/png", ".svg": "image/svg+xml", ".ttf": "font/ttf",
	".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".webm": "video/webm",
	".webmanifest": "application/manifest+json", ".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2",
	".xml": "text/xml; charset=utf-8", ".zip": "application/zip",
}

func contentTypeOf(name string, data []byte) string {
	ext := strings.ToLower(path.Ext(name))
	if t := contentTypes[ext]; t != "" {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	if ext == "" {
		return http.DetectContentType(data)
	}
	return "application/octet-stream"
}

// isCompressible reports whether content of a type shrinks when compressed.
func isCompressible(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	switch t {
	case "application/json", "application/manifest+json", "application/wasm", "application/javascript", "application/xml",
		"application/vnd.ms-fontobject", "font/otf", "font/ttf", "image/svg+xml", "image/bmp", "image/x-icon":
		return true
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml")
}
