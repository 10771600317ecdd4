// Package npm speaks of npm packages: it reads package.json and
// package-lock.json, asks registries, and orders versions by semantic
// versioning.
package npm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

type packageFile struct {
	Name                 string            `json:"name"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	PeerDependencies     map[string]string `json:"peerDependencies"`
}

// Read reads a package.json. It names ranges; the version in use is taken to
// be the lowest one a range allows, until a package-lock.json says better.
func Read(file string, data []byte) (*watch.Manifest, error) {
	var p packageFile
	if err := decode(file, data, &p); err != nil {
		return nil, err
	}
	m := &watch.Manifest{File: file, Project: p.Name}
	seen := map[string]bool{}
	lines := newLines(data)
	add := func(deps map[string]string, dev bool) {
		for _, name := range sortedKeys(deps) {
			if seen[name] {
				continue
			}
			seen[name] = true
			r := fromRange(name, deps[name])
			r.Dev, r.Direct, r.Line = dev, true, lines.of(name)
			m.Requirements = append(m.Requirements, r)
		}
	}
	add(p.Dependencies, false)
	add(p.OptionalDependencies, false)
	add(p.DevDependencies, true)
	if len(p.PeerDependencies) > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("%d peer dependencies are not watched: who uses the package chooses them", len(p.PeerDependencies)))
	}
	return m, m.Check()
}

// fromRange understands a range well enough to say where it begins; what is
// no version (a tag, a folder, an address) is noted.
func fromRange(name, text string) watch.Requirement {
	r := watch.Requirement{ID: watch.ID{Ecosystem: watch.NPM, Name: name}, Range: text}
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "npm:"); ok {
		// An alias: the package goes by another name here.
		i := strings.LastIndexByte(rest, '@')
		if i > 0 {
			r.Note = "called " + name + " here"
			r.Name, text = rest[:i], rest[i+1:]
		}
	}
	for _, p := range []string{"file:", "link:", "workspace:", "git", "http:", "https:", "github:", "catalog:", "portal:", "patch:"} {
		if strings.HasPrefix(text, p) {
			r.Note, r.Elsewhere = "does not come from a registry: not compared", true
			return r
		}
	}
	if v, ok := lowest(text); ok {
		r.Version = v
		if v == text {
			r.Range = ""
		} else {
			r.Note = join(r.Note, "the lowest version its range allows")
		}
		return r
	}
	r.Note = join(r.Note, "any version, until a package-lock.json says which")
	return r
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

type lockFile struct {
	Name            string                 `json:"name"`
	LockfileVersion int                    `json:"lockfileVersion"`
	Packages        map[string]lockPackage `json:"packages"`     // versions 2 and 3
	Dependencies    map[string]lockOld     `json:"dependencies"` // version 1
}

type lockPackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Link    bool   `json:"link"`
	Dev     bool   `json:"dev"`
	packageFile
}

type lockOld struct {
	Version  string                     `json:"version"`
	Dev      bool                       `json:"dev"`
	Bundled  bool                       `json:"bundled"`
	Requires json.RawMessage            `json:"requires"` // an object, or true
	Inner    map[string]json.RawMessage `json:"dependencies"`
}

// ReadLock reads a package-lock.json of version 1, 2 or 3. Packages in several
// versions are several requirements.
func ReadLock(file string, data []byte) (*watch.Manifest, error) {
	var l lockFile
	if err := decode(file, data, &l); err != nil {
		return nil, err
	}
	m := &watch.Manifest{File: file, Project: l.Name}
	switch {
	case l.LockfileVersion > 3:
		return nil, &watch.FileError{File: file, Reason: fmt.Sprintf("lockfileVersion %d is not known; 1, 2 and 3 are", l.LockfileVersion)}
	case l.Packages != nil:
		fromPackages(m, l.Packages, newLines(data))
	case l.Dependencies != nil:
		if err := fromOld(m, l.Dependencies, newLines(data)); err != nil {
			return nil, err
		}
	case l.LockfileVersion == 0:
		return nil, &watch.FileError{File: file, Reason: "it has neither packages nor dependencies: is it a package-lock.json?"}
	}
	return m, m.Check()
}

func fromPackages(m *watch.Manifest, packages map[string]lockPackage, lines lines) {
	direct := map[string]bool{}
	for place, p := range packages {
		// The root is "", and members of a workspace have no node_modules in their path.
		if strings.Contains(place, "node_modules/") {
			continue
		}
		for _, deps := range []map[string]string{p.Dependencies, p.DevDependencies, p.OptionalDependencies} {
			for name := range deps {
				direct[name] = true
			}
		}
	}
	seen := map[string]int{}
	for _, place := range sortedKeys(packages) {
		p := packages[place]
		i := strings.LastIndex(place, "node_modules/")
		if i < 0 || p.Link || p.Version == "" {
			continue
		}
		name := place[i+len("node_modules/"):]
		r := watch.Requirement{Version: p.Version, Dev: p.Dev, Direct: i == 0 && direct[name], Line: lines.of(place)}
		if p.Name != "" && p.Name != name {
			r.Note, name = "called "+name+" here", p.Name
		}
		r.ID = watch.ID{Ecosystem: watch.NPM, Name: name}
		addLocked(m, seen, r)
	}
}

// addLocked adds a locked version once, and direct wins over indirect.
func addLocked(m *watch.Manifest, seen map[string]int, r watch.Requirement) {
	if !valid(r.Version) {
		r.Note, r.Range, r.Version = join(r.Note, "does not come from a registry: not compared"), r.Version, ""
		r.Elsewhere = true
	}
	key := r.Name + "@" + r.Version
	if i, ok := seen[key]; ok {
		q := &m.Requirements[i]
		q.Direct, q.Dev = q.Direct || r.Direct, q.Dev && r.Dev
		return
	}
	seen[key] = len(m.Requirements)
	m.Requirements = append(m.Requirements, r)
}

// fromOld reads version 1, which does not say what the project asks for
// itself: what nothing else requires is taken for that.
func fromOld(m *watch.Manifest, deps map[string]lockOld, lines lines) error {
	required, seen := map[string]bool{}, map[string]int{}
	var walk func(deps map[string]lockOld, depth int) error
	walk = func(deps map[string]lockOld, depth int) error {
		if depth > 100 {
			return &watch.FileError{File: m.File, Reason: "dependencies are nested more than 100 deep"}
		}
		for _, name := range sortedKeys(deps) {
			d := deps[name]
			var requires map[string]string
			if json.Unmarshal(d.Requires, &requires) == nil {
				for other := range requires {
					required[other] = true
				}
			}
			r := watch.Requirement{ID: watch.ID{Ecosystem: watch.NPM, Name: name}, Version: d.Version,
				Dev: d.Dev, Direct: depth == 0, Line: lines.of(name)}
			if v, ok := strings.CutPrefix(d.Version, "npm:"); ok {
				if i := strings.LastIndexByte(v, '@'); i > 0 {
					r.Note, r.Name, r.Version = "called "+name+" here", v[:i], v[i+1:]
				}
			}
			addLocked(m, seen, r)
			inner := make(map[string]lockOld, len(d.Inner))
			for n, raw := range d.Inner {
				var o lockOld
				if err := json.Unmarshal(raw, &o); err != nil {
					return &watch.FileError{File: m.File, Line: lines.of(n), Reason: n + ": " + err.Error()}
				}
				inner[n] = o
			}
			if err := walk(inner, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(deps, 0); err != nil {
		return err
	}
	for i := range m.Requirements {
		m.Requirements[i].Direct = m.Requirements[i].Direct && !required[m.Requirements[i].Name]
	}
	m.Notes = append(m.Notes, "a lock file of version 1 does not say which packages the project asks for itself; those nothing else requires are taken for that")
	return nil
}

// decode reads JSON and says at which line it is wrong.
func decode(file string, data []byte, into any) error {
	if err := watch.CheckSize(file, int64(len(data))); err != nil {
		return err
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	var offset int64
	var se *json.SyntaxError
	var te *json.UnmarshalTypeError
	reason := err.Error()
	switch {
	case errors.As(err, &se):
		offset = se.Offset
	case errors.As(err, &te):
		offset, reason = te.Offset, fmt.Sprintf("%s is a %s where a %s is expected", te.Field, te.Value, te.Type)
	}
	line := 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
	return &watch.FileError{File: file, Line: line, Reason: watch.Clip("not valid JSON for this file: "+reason, 300)}
}

// lines finds where a name is first written as a key.
type lines map[string]int

func newLines(data []byte) lines {
	l := lines{}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		key, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte(`"`))
		if !ok {
			continue
		}
		if end := bytes.IndexByte(key, '"'); end > 0 {
			if _, there := l[string(key[:end])]; !there {
				l[string(key[:end])] = n
			}
		}
	}
	return l
}

func (l lines) of(name string) int { return l[name] }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
