// Package watch holds the words the release watcher is built from: a package a
// project requires, the file that says so, and what a registry knows of it.
// The ecosystems (gomod, npm, pypi) speak in these words; store, jobs and site
// know nothing else of them.
package watch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
)

// Ecosystem is a family of packages with one registry protocol and one order of versions.
type Ecosystem string

// The ecosystems that are read.
const (
	Go   Ecosystem = "go"
	NPM  Ecosystem = "npm"
	PyPI Ecosystem = "pypi"
)

// Title is how a person calls the ecosystem.
func (e Ecosystem) Title() string {
	switch e {
	case Go:
		return "Go"
	case NPM:
		return "npm"
	case PyPI:
		return "PyPI"
	}
	return string(e)
}

// Valid reports whether e is one of the constants above.
func (e Ecosystem) Valid() bool { return e == Go || e == NPM || e == PyPI }

// ID names a package.
type ID struct {
	Ecosystem Ecosystem
	Name      string
}

func (id ID) String() string { return string(id.Ecosystem) + ":" + id.Name }

// Limits of names and versions; the database's keys are as wide.
const (
	MaxName    = 214 // bytes; npm's own limit, and the longest of the three
	MaxVersion = 100 // bytes
	MaxNote    = 500 // bytes
)

// Requirement is one package as a project's file names it.
type Requirement struct {
	ID
	Version string // the version in use, or "" where the file leaves it open
	Range   string // as written, where that is not one exact version
	Direct  bool   // asked for by the project itself, not by what it requires
	Dev     bool   // needed for development only
	// Elsewhere: it comes from a folder or an address, and no registry is asked
	// for it, since even its name may be private.
	Elsewhere bool
	Note      string // what else the file says: replaced, unpinned, …
	Line      int    // in the file, from 1; 0 unknown
}

// Manifest is what a file requires.
type Manifest struct {
	File         string // base name: go.mod, package.json, package-lock.json, requirements….txt
	Project      string // the name the file gives its project, or ""
	Requirements []Requirement
	Notes        []string // what was in the file and was not followed
}

// Limits of files that are read.
const (
	MaxFile         = 4 << 20 // bytes
	MaxRequirements = 20_000
)

// FileError says what is wrong with a file and where.
type FileError struct {
	File   string
	Line   int // 0: the file as a whole
	Reason string
}

func (e *FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
	}
	return e.File + ": " + e.Reason
}

// CheckSize refuses a file above MaxFile in the words shown to its owner.
func CheckSize(file string, size int64) error {
	if size <= MaxFile {
		return nil
	}
	return &FileError{File: file, Reason: fmt.Sprintf(
		"the file has %s and at most %d MiB are read: is it the right file?", Bytes(size), MaxFile>>20)}
}

// Bytes writes a size for people.
func Bytes(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
}

// Check validates the limits every reader keeps: count, and lengths of names
// and versions.
func (m *Manifest) Check() error {
	if len(m.Requirements) > MaxRequirements {
		return &FileError{File: m.File, Reason: fmt.Sprintf("names %d packages; at most %d are watched", len(m.Requirements), MaxRequirements)}
	}
	for i := range m.Requirements {
		r := &m.Requirements[i]
		switch {
		case r.Name == "" || len(r.Name) > MaxName || hasControl(r.Name):
			return &FileError{m.File, r.Line, fmt.Sprintf("%.60q is not the name of a package", r.Name)}
		case len(r.Version) > MaxVersion || hasControl(r.Version):
			return &FileError{m.File, r.Line, fmt.Sprintf("%s: %.60q is not a version", r.Name, r.Version)}
		}
		r.Range, r.Note = Clip(r.Range, MaxVersion), Clip(r.Note, MaxNote)
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
}

// Clip shortens s to at most max bytes, whole characters, printable and valid UTF-8.
func Clip(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) <= max {
		return s
	}
	cut := 0
	for i := range s {
		if i > max-len("…") {
			break
		}
		cut = i
	}
	return s[:cut] + "…"
}

// Release is one version in a registry.
type Release struct {
	Version   string
	Published time.Time // zero when the registry does not say
	Withdrawn string    // retracted, deprecated or yanked, and why; "" when it stands
}

// Listing is what a registry says about a package.
type Listing struct {
	Releases  []Release // oldest first, in the ecosystem's own order
	Latest    string    // what the registry gives to who asks for no version; "" unknown
	Registry  string    // its address, without secrets
	Successor *Successor
}

// Successor is a later major version that lives under another name (Go's /v2).
type Successor struct {
	Name, Version string
}

// Facts are what a package says about itself in its archive.
type Facts struct {
	Licence      string            // as declared, "" when not
	Dependencies map[string]string // name → range; nil when it cannot be told
	Scripts      map[string]string // what runs when the package is installed or built, by name
	Exports      map[string]string // Go: exported identifier → its declaration
	Notes        []string          // what could not be told
}

// Registry answers for one ecosystem. Its methods may be called at once.
// Errors are *RegistryError, *archive.Refusal or the context's.
type Registry interface {
	// List asks for all versions of a package.
	List(ctx context.Context, name string) (*Listing, error)
	// Newer returns what is offered to a user of current, oldest first; the
	// last one is the update. Withdrawn versions are left out, and pre-releases
	// too unless current is one.
	Newer(l *Listing, current string) []Release
	// Archive downloads and reads one version within the bounds of package archive.
	Archive(ctx context.Context, name, version string) (*archive.Tree, error)
	// Facts reads a package's own description from its archive.
	Facts(t *archive.Tree) Facts
	// Step names the distance between two versions: "major", "minor", "patch",
	// "pre-release" or "other".
	Step(from, to string) string
}
