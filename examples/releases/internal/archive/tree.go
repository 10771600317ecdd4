// Package archive reads the archives registries hand out (zip and gzipped tar)
// into a Tree held in memory, within bounds, trusting nothing in them.
//
// Nothing is unpacked to disk, so no path can write anywhere; a path that
// would leave the archive's own folder still refuses the whole archive, since
// it is an attack on whoever unpacks it.
package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

// Limits of one archive. The zero value of a field means its default.
type Limits struct {
	Compressed int64 // bytes of the archive, default 64 MiB
	Expanded   int64 // bytes of all files, default 512 MiB
	File       int64 // bytes of one file, default 128 MiB
	Files      int   // entries, default 50,000
	Ratio      int64 // expanded to compressed, once 16 MiB are expanded, default 200
	Kept       int64 // bytes of text kept for comparison, default 96 MiB
	KeptFile   int64 // bytes of one text kept, default 2 MiB
}

func (l Limits) withDefaults() Limits {
	def := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Compressed, 64<<20)
	def(&l.Expanded, 512<<20)
	def(&l.File, 128<<20)
	def(&l.Ratio, 200)
	def(&l.Kept, 96<<20)
	def(&l.KeptFile, 2<<20)
	if l.Files == 0 {
		l.Files = 50_000
	}
	return l
}

// DefaultCompressed is how much of an archive is downloaded at most, in bytes.
const DefaultCompressed = 64 << 20

// ratioFrom is how much is expanded before the ratio counts: small files of
// one repeated letter compress well and harm nobody.
const ratioFrom = 16 << 20

// maxPath is the length of a path in an archive, in bytes.
const maxPath = 1024

// Refusal says why an archive was not read. It is a property of the archive:
// reading it again gives the same.
type Refusal struct{ Reason string }

func (r *Refusal) Error() string { return "archive refused: " + r.Reason }

func refuse(format string, args ...any) error {
	return &Refusal{Reason: fmt.Sprintf(format, args...)}
}

// File is one file of an archive.
type File struct {
	Path   string
	Size   int64
	Sum    [sha256.Size]byte
	Text   []byte // nil when the file is binary or too large to keep
	Binary bool   // has NUL bytes or is not UTF-8 at its start
	Kind   string // what an executable or library is: "ELF", "PE", …; "" for others
	Link   string // target of a symbolic link that stays inside; then Size is 0
}

// Tree is the content of an archive by path, with the folder that all its
// paths share taken away.
type Tree struct {
	Files    map[string]*File
	Bytes    int64  // expanded
	Source   string // where it came from, without secrets
	Name     string // of the archive: mod-1.0.tar.gz
	Sum      string // of the archive: "sha256:…"
	Verified string // the digest the registry gave and that was compared, or ""
	Notes    []string

	limits Limits
	kept   int64
}

func newTree(l Limits) *Tree {
	return &Tree{Files: make(map[string]*File), limits: l}
}

// Text returns a kept file's content, or nil.
func (t *Tree) Text(p string) []byte {
	if f := t.Files[p]; f != nil {
		return f.Text
	}
	return nil
}

// add reads one file of the archive.
func (t *Tree) add(name string, r io.Reader) error {
	f := &File{Path: name}
	h := sha256.New()
	var head bytes.Buffer
	keep := min(t.limits.KeptFile, t.limits.Kept-t.kept)
	n, err := io.Copy(io.MultiWriter(h, &firstBytes{&head, keep + 1}), io.LimitReader(r, t.limits.File+1))
	if err != nil {
		return err
	}
	if n > t.limits.File {
		return refuse("%s is larger than %d MiB", quote(name), t.limits.File>>20)
	}
	f.Size = n
	h.Sum(f.Sum[:0])
	f.Kind = kindOf(head.Bytes(), name)
	f.Binary = f.Kind != "" || looksBinary(head.Bytes())
	if !f.Binary && n <= keep {
		f.Text = head.Bytes()
		if f.Text == nil {
			f.Text = []byte{}
		}
		t.kept += n
	}
	return t.put(f)
}

func (t *Tree) put(f *File) error {
	if old := t.Files[f.Path]; old != nil {
		t.note(fmt.Sprintf("%s is in the archive twice; the last one counts", quote(f.Path)))
		t.Bytes -= old.Size
	} else if len(t.Files) >= t.limits.Files {
		return refuse("it has more than %d files", t.limits.Files)
	}
	t.Files[f.Path] = f
	t.Bytes += f.Size
	return nil
}

func (t *Tree) note(s string) {
	if len(t.Notes) < 20 {
		t.Notes = append(t.Notes, s)
	}
}

// strip takes away the first folder of every path when all share one of the
// given depth: registries wrap a package in package/, name-1.0/ or module@v1.0.0/.
func (t *Tree) strip(prefix string) {
	if prefix == "" {
		return
	}
	files := make(map[string]*File, len(t.Files))
	for p, f := range t.Files {
		f.Path = strings.TrimPrefix(p, prefix)
		files[f.Path] = f
	}
	t.Files = files
}

// sharedFolder returns the first path element, with its slash, when every
// file is under it; else "".
func (t *Tree) sharedFolder() string {
	prefix := ""
	for p := range t.Files {
		i := strings.IndexByte(p, '/')
		if i < 0 || (prefix != "" && p[:i+1] != prefix) {
			return ""
		}
		prefix = p[:i+1]
	}
	return prefix
}

// cleanPath accepts a path that stays inside the archive, and refuses others.
func cleanPath(name string) (string, error) {
	switch {
	case name == "" || len(name) > maxPath:
		return "", refuse("an entry has a path of %d bytes", len(name))
	case !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\r\n"):
		return "", refuse("the path %s is not text", quote(name))
	case strings.HasPrefix(name, "/") || strings.Contains(name, `\`) || hasDrive(name):
		return "", refuse("the path %s is absolute or of another system", quote(name))
	}
	for _, e := range strings.Split(name, "/") {
		if e == ".." {
			return "", refuse("the path %s leads outside", quote(name))
		}
	}
	return path.Clean(name), nil
}

// cleanLink tells whether a symbolic link at p pointing to target stays inside.
func cleanLink(p, target string) error {
	if strings.HasPrefix(target, "/") || strings.ContainsAny(target, "\\\x00") || hasDrive(target) {
		return refuse("the link %s leads outside, to %s", quote(p), quote(target))
	}
	to := path.Join(path.Dir(p), target)
	if to == ".." || strings.HasPrefix(to, "../") {
		return refuse("the link %s leads outside, to %s", quote(p), quote(target))
	}
	return nil
}

func hasDrive(s string) bool {
	return len(s) >= 2 && s[1] == ':' && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}

func quote(s string) string {
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return fmt.Sprintf("%q", s)
}

// firstBytes keeps the first max bytes written and counts the rest as written.
type firstBytes struct {
	buf *bytes.Buffer
	max int64
}

func (w *firstBytes) Write(p []byte) (int, error) {
	if room := w.max - int64(w.buf.Len()); room > 0 {
		w.buf.Write(p[:min(int64(len(p)), room)])
	}
	return len(p), nil
}
