package advisory

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Bounds of the lists in a document; counts are always whole.
const (
	maxFilesListed = 400
	maxAPIListed   = 300
	maxNewsLines   = 80
	maxNewsLine    = 300
)

// Side is one version to compare.
type Side struct {
	Release watch.Release
	Tree    *archive.Tree
	Facts   watch.Facts
}

// Compare writes the advisory of an update from one side to the other.
func Compare(id watch.ID, step string, from, to Side) *Advisory {
	a := blank(id, step, from.Release, to.Release)
	a.From.fill(from.Tree)
	a.To.fill(to.Tree)
	a.compareFiles(from.Tree, to.Tree)
	a.Licence = compareLicence(from.Tree, to.Tree, from.Facts.Licence, to.Facts.Licence)
	if (from.Facts.Dependencies == nil) == (to.Facts.Dependencies == nil) {
		a.Dependencies = changes(from.Facts.Dependencies, to.Facts.Dependencies)
	} else {
		a.Notes = append(a.Notes, "dependencies are known of one version only, and not compared")
	}
	a.Scripts = changes(from.Facts.Scripts, to.Facts.Scripts)
	if id.Ecosystem == watch.Go {
		a.API = compareAPI(from.Facts.Exports, to.Facts.Exports)
	}
	a.News = news(from.Tree, to.Tree)
	a.note("old: ", from)
	a.note("new: ", to)
	a.Findings = a.find()
	return a
}

// Refuse writes the advisory of an update whose archives were not read.
func Refuse(id watch.ID, step string, from, to watch.Release, which string, why *archive.Refusal) *Advisory {
	a := blank(id, step, from, to)
	a.Refused = which + ": " + why.Reason
	a.Findings = []Finding{{Alarm, "The archive of " + which + " was refused: " + why.Reason + ". Nothing was compared."}}
	return a
}

func blank(id watch.ID, step string, from, to watch.Release) *Advisory {
	return &Advisory{
		Format: Format, Ecosystem: id.Ecosystem, Name: id.Name, Step: step,
		From: version(from), To: version(to),
		Files:        Files{Added: []FileChange{}, Removed: []FileChange{}, Changed: []FileChange{}},
		Licence:      Licence{Files: []Change{}},
		Dependencies: []Change{}, Scripts: []Change{}, Binaries: []Binary{}, Notes: []string{}, Findings: []Finding{},
	}
}

func version(r watch.Release) Version {
	v := Version{Version: r.Version}
	if !r.Published.IsZero() {
		t := r.Published.UTC()
		v.Published = &t
	}
	return v
}

func (v *Version) fill(t *archive.Tree) {
	v.Archive, v.Sum, v.Verified = t.Source, t.Sum, t.Verified
	v.Files, v.Bytes = len(t.Files), t.Bytes
}

func (a *Advisory) note(prefix string, s Side) {
	for _, list := range [][]string{s.Facts.Notes, s.Tree.Notes} {
		for _, n := range list {
			a.Notes = append(a.Notes, prefix+n)
		}
	}
}

func (a *Advisory) compareFiles(from, to *archive.Tree) {
	for _, p := range union(from.Files, to.Files) {
		x, y := from.Files[p], to.Files[p]
		if x != nil && y != nil && x.Sum == y.Sum && x.Link == y.Link {
			continue
		}
		c := FileChange{Path: p}
		var oldText, newText []byte
		if x != nil {
			oldText, c.Bytes, c.Binary = x.Text, x.Size, x.Binary
		}
		if y != nil {
			newText, c.Bytes, c.Binary = y.Text, y.Size, y.Binary
			if y.Kind != "" && len(a.Binaries) < maxFilesListed {
				a.Binaries = append(a.Binaries, Binary{Path: p, Kind: y.Kind, Bytes: y.Size, New: x == nil || x.Kind == ""})
			}
		}
		c.Added, c.Removed, c.Rough = countLines(oldText, newText)
		a.Lines.Added += c.Added
		a.Lines.Removed += c.Removed
		a.Lines.Rough = a.Lines.Rough || c.Rough
		switch {
		case x == nil:
			a.Files.Added = append(a.Files.Added, c)
		case y == nil:
			a.Files.Removed = append(a.Files.Removed, c)
		default:
			a.Files.Changed = append(a.Files.Changed, c)
		}
	}
	a.Files.AddedCount = cut(&a.Files.Added)
	a.Files.RemovedCount = cut(&a.Files.Removed)
	a.Files.ChangedCount = cut(&a.Files.Changed)
}

// cut keeps the files with most lines when there are too many, in order of path.
func cut(list *[]FileChange) int {
	n := len(*list)
	if n > maxFilesListed {
		slices.SortStableFunc(*list, func(a, b FileChange) int {
			return cmp.Compare(b.Added+b.Removed, a.Added+a.Removed)
		})
		*list = slices.Clone((*list)[:maxFilesListed])
		slices.SortFunc(*list, func(a, b FileChange) int { return cmp.Compare(a.Path, b.Path) })
	}
	return n
}

func changes(from, to map[string]string) []Change {
	out := []Change{}
	for _, k := range union(from, to) {
		a, hadA := from[k]
		b, hasB := to[k]
		if a == b && hadA == hasB {
			continue
		}
		c := Change{Name: watch.Clip(k, watch.MaxName), From: watch.Clip(a, 300), To: watch.Clip(b, 300)}
		// "any version" is written as an empty range; it must not look like absence.
		if hadA && a == "" {
			c.From = "any"
		}
		if hasB && b == "" {
			c.To = "any"
		}
		out = append(out, c)
	}
	return out
}

func compareAPI(from, to map[string]string) *API {
	api := &API{Added: []string{}, Removed: []string{}, Changed: []Change{}}
	for _, k := range union(from, to) {
		a, hadA := from[k]
		b, hasB := to[k]
		switch {
		case !hadA:
			api.AddedCount++
			if len(api.Added) < maxAPIListed {
				api.Added = append(api.Added, qualified(k, b))
			}
		case !hasB:
			api.RemovedCount++
			if len(api.Removed) < maxAPIListed {
				api.Removed = append(api.Removed, qualified(k, a))
			}
		case a != b && !untyped(a, b):
			api.ChangedCount++
			if len(api.Changed) < maxAPIListed {
				api.Changed = append(api.Changed, Change{Name: k, From: a, To: b})
			}
		}
	}
	return api
}

// untyped: a variable or constant whose type is only written on one side. What
// the other side infers is not known without checking types, and is the same as
// a rule.
func untyped(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return (strings.HasPrefix(a, "var ") || strings.HasPrefix(a, "const ")) && strings.HasPrefix(b, a+" ")
}

// qualified puts a package's folder before a declaration.
func qualified(key, decl string) string {
	if i := strings.Index(key, ": "); i > 0 {
		return key[:i+2] + decl
	}
	return decl
}

var newsFile = regexp.MustCompile(`(?i)^(changelog|changes|history|news|releases?|release[-_]notes)(\.(md|rst|txt|markdown))?$`)

// news takes the lines that the package's list of changes gained.
func news(from, to *archive.Tree) *News {
	for _, p := range union(to.Files, map[string]bool{}) {
		if path.Dir(p) != "." || !newsFile.MatchString(p) || to.Text(p) == nil {
			continue
		}
		had := map[string]int{}
		for line := range strings.Lines(string(from.Text(p))) {
			had[strings.TrimSpace(line)]++
		}
		n := &News{File: p}
		for line := range strings.Lines(string(to.Text(p))) {
			line = strings.TrimRight(line, " \t\r\n")
			key := strings.TrimSpace(line)
			if had[key] > 0 && key != "" {
				had[key]--
				continue
			}
			if key == "" && (len(n.Lines) == 0 || n.Lines[len(n.Lines)-1] == "") {
				continue
			}
			if len(n.Lines) >= maxNewsLines {
				n.Cut = true
				break
			}
			n.Lines = append(n.Lines, watch.Clip(strings.ReplaceAll(line, "\t", "    "), maxNewsLine))
		}
		for len(n.Lines) > 0 && n.Lines[len(n.Lines)-1] == "" {
			n.Lines = n.Lines[:len(n.Lines)-1]
		}
		if len(n.Lines) > 0 && from.Files[p] != nil {
			return n
		}
	}
	return nil
}

// plural writes a count with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
