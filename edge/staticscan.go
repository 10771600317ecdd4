package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	minCompress = 1 << 10  // bytes; below, headers outweigh what is saved
	oldContent  = 64 << 20 // bytes of replaced content that stay served
)

// A staticFile is one file with one content.
type staticFile struct {
	name         string
	address      string // name with the content's hash before its extension
	size         int64
	modified     time.Time
	contentType  []string
	compressible bool
	compressed   atomic.Bool // all variants that will be are there
	variants     [encodings]atomic.Pointer[variant]
}

// A variant is a file's content in one encoding, with the headers that belong
// to it. It is never changed.
type variant struct {
	data     []byte
	etag     []string
	length   []string
	encoding []string
}

func newVariant(data []byte, hash string, e encoding) *variant {
	tag := `"` + hash + `"`
	if e != identity {
		tag = `"` + hash + "-" + e.String() + `"`
	}
	return &variant{data: data, etag: []string{tag}, length: []string{strconv.Itoa(len(data))}, encoding: []string{e.String()}}
}

// scan reads what is new or has changed and reports whether anything did.
func (s *staticFiles) scan() (changed bool, err error) {
	s.scanMu.Lock()
	defer s.scanMu.Unlock()
	before := s.table.Load()
	byName := make(map[string]*staticFile, len(before.byName))
	var total int64
	err = fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
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
		f := s.look(name, before.byName[name], s.opt.MaxBytes-total)
		switch {
		case f == nil:
		case len(byName) >= s.opt.MaxFiles:
			s.warn("", "static folder has more files than are served", "limit", s.opt.MaxFiles)
			return fs.SkipAll
		default:
			total += f.size
			byName[name] = f
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if maps.Equal(byName, before.byName) && before.byName != nil {
		return false, nil
	}
	s.publish(before, byName)
	return true, s.writeManifest()
}

// look returns the file as it is on disk: the one known, or one newly read;
// nil if it cannot be served.
func (s *staticFiles) look(name string, known *staticFile, room int64) *staticFile {
	info, err := s.root.Stat(name)
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
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:8])
	n := &staticFile{name: name, address: hashedName(name, hash), size: info.Size(), modified: info.ModTime(), contentType: []string{contentTypeOf(name, data)}}
	if int64(len(data)) != n.size {
		n.modified = time.Time{} // it is being written: look again
	}
	n.compressible = len(data) >= minCompress && isCompressible(n.contentType[0])
	n.variants[identity].Store(newVariant(data, hash, identity))
	if known != nil && known.address == n.address && known.size == n.size {
		known.modified = n.modified // touched only
		return known
	}
	return n
}

// publish puts a new table in place; what it replaces stays under its address
// while there is room.
func (s *staticFiles) publish(before *staticTable, byName map[string]*staticFile) {
	for name, f := range before.byName {
		if byName[name] != f {
			s.old = append(s.old, f)
		}
	}
	var kept int64
	first := len(s.old)
	for first > 0 && kept+s.old[first-1].size <= oldContent {
		first--
		kept += s.old[first].size
	}
	s.old = append([]*staticFile(nil), s.old[first:]...)
	t := &staticTable{byName: byName, byAddress: make(map[string]*staticFile, len(byName)+len(s.old))}
	for _, f := range s.old {
		t.byAddress[f.address] = f
	}
	for _, f := range byName {
		t.byAddress[f.address] = f
	}
	s.table.Store(t)
	nudge(s.compress)
}

// hashedName puts the hash before the extension: css/app.css becomes
// css/app.<hash>.css.
func hashedName(name, hash string) string {
	ext := path.Ext(name)
	return strings.TrimSuffix(name, ext) + "." + hash + ext
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
