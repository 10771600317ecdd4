// Package advisory compares two versions of a package by their archives and
// says what a person should look at before taking the update.
//
// An Advisory is a document of its own, written once to object storage and
// loaded by browsers from there. It holds nothing that depends on when or where
// it was made: the same two archives give the same bytes.
package advisory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Format is the first field of every advisory; it changes when a reader of the
// old form could misunderstand the new one.
const Format = "dayfly.releases.advisory/1"

// ContentType and CacheControl go with the object: an advisory does not change.
const (
	ContentType  = "application/json"
	CacheControl = "public, max-age=31536000, immutable"
)

// Advisory of one update.
type Advisory struct {
	Format    string          `json:"format"`
	Ecosystem watch.Ecosystem `json:"ecosystem"`
	Name      string          `json:"name"`
	From      Version         `json:"from"`
	To        Version         `json:"to"`
	Step      string          `json:"step"`              // major, minor, patch, pre-release, other
	Refused   string          `json:"refused,omitempty"` // why an archive was not read; then nothing was compared
	Findings  []Finding       `json:"findings"`          // what to look at, the gravest first

	Files        Files    `json:"files"`
	Lines        Lines    `json:"lines"`
	Licence      Licence  `json:"licence"`
	Dependencies []Change `json:"dependencies"`
	Scripts      []Change `json:"scripts"`  // what runs at install or build
	Binaries     []Binary `json:"binaries"` // programs and libraries that appeared or changed
	API          *API     `json:"api,omitempty"`
	News         *News    `json:"news,omitempty"`
	Notes        []string `json:"notes"` // what could not be told
}

// Version is one side of the comparison.
type Version struct {
	Version   string     `json:"version"`
	Published *time.Time `json:"published,omitempty"`
	Archive   string     `json:"archive,omitempty"`  // where it was downloaded
	Sum       string     `json:"sum,omitempty"`      // sha256:…
	Verified  string     `json:"verified,omitempty"` // the registry's digest that matched: sha512, sha256
	Files     int        `json:"files"`
	Bytes     int64      `json:"bytes"` // expanded
}

// Level of a finding.
type Level string

// The levels, the gravest first.
const (
	Alarm   Level = "alarm"   // somebody should know before this is installed
	Warning Level = "warning" // likely to need work, or a decision
	Info    Level = "info"
)

// Finding is one sentence to look at.
type Finding struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
}

// Files that differ. The lists are bounded, the counts are not.
type Files struct {
	Added        []FileChange `json:"added"`
	Removed      []FileChange `json:"removed"`
	Changed      []FileChange `json:"changed"`
	AddedCount   int          `json:"added_count"`
	RemovedCount int          `json:"removed_count"`
	ChangedCount int          `json:"changed_count"`
}

// FileChange is one file; lines are of text files only.
type FileChange struct {
	Path    string `json:"path"`
	Bytes   int64  `json:"bytes"` // of the new file, or of a removed one
	Added   int    `json:"added"`
	Removed int    `json:"removed"`
	Binary  bool   `json:"binary,omitempty"`
	Rough   bool   `json:"rough,omitempty"` // too different to count exactly: an upper bound
}

// Lines over all text files.
type Lines struct {
	Added   int  `json:"added"`
	Removed int  `json:"removed"`
	Rough   bool `json:"rough,omitempty"`
}

// Licence as declared and as found in files.
type Licence struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Changed bool     `json:"changed"` // the terms, not only years and names
	Files   []Change `json:"files"`
}

// Change of a named thing: From is "" for a new one, To for one that is gone.
type Change struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// Binary is a program or library in the new archive.
type Binary struct {
	Path  string `json:"path"`
	Kind  string `json:"kind"`
	Bytes int64  `json:"bytes"`
	New   bool   `json:"new"` // false: it was there and changed
}

// API is what changed in what others can import.
type API struct {
	Added        []string `json:"added"`
	Removed      []string `json:"removed"`
	Changed      []Change `json:"changed"`
	AddedCount   int      `json:"added_count"`
	RemovedCount int      `json:"removed_count"`
	ChangedCount int      `json:"changed_count"`
}

// News are lines that appeared in the package's own list of changes.
type News struct {
	File  string   `json:"file"`
	Lines []string `json:"lines"`
	Cut   bool     `json:"cut,omitempty"`
}

// Encode writes the document, the same bytes for the same content.
func (a *Advisory) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	if err := e.Encode(a); err != nil {
		return nil, fmt.Errorf("advisory of %s: %w", a.Name, err)
	}
	return b.Bytes(), nil
}

// Decode reads a document of this format.
func Decode(data []byte) (*Advisory, error) {
	a := new(Advisory)
	if err := json.Unmarshal(data, a); err != nil {
		return nil, fmt.Errorf("advisory: %w", err)
	}
	if a.Format != Format {
		return nil, fmt.Errorf("advisory: its format is %.60q, not %q", a.Format, Format)
	}
	return a, nil
}

// Key is where an advisory is in the bucket: go/golang.org/x/mod/v0.1.0..v0.2.0.json.
// Go's paths are escaped as in module proxies, so that keys that differ only in
// case stay apart everywhere.
func Key(id watch.ID, from, to string) (string, error) {
	name := id.Name
	if id.Ecosystem == watch.Go {
		escaped, err := module.EscapePath(name)
		if err != nil {
			return "", fmt.Errorf("advisory's key: %w", err)
		}
		name = escaped
	}
	for _, part := range append(strings.Split(name, "/"), from, to) {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "/\\?#\x00") {
			return "", fmt.Errorf("advisory's key: %q cannot be part of one", part)
		}
	}
	return fmt.Sprintf("%s/%s/%s..%s.json", id.Ecosystem, name, from, to), nil
}

// URLPath escapes a key for the path of an address, slashes kept.
func URLPath(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
