package pypi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Registry asks package indexes
// (https://packaging.python.org/specifications/simple-repository-api/).
type Registry struct {
	fetch   *fetch.Client
	indexes []string
	limits  archive.Limits
}

// New returns a registry of at least one index, asked in order until one has
// the package.
func New(f *fetch.Client, indexes []string, l archive.Limits) (*Registry, error) {
	if len(indexes) == 0 {
		return nil, errors.New("pip's configuration names no index")
	}
	return &Registry{fetch: f, indexes: indexes, limits: l}, nil
}

// Ecosystem is watch.PyPI.
func (r *Registry) Ecosystem() watch.Ecosystem { return watch.PyPI }

// accept prefers JSON, as pip does; an index may answer in HTML.
const accept = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"

// page is what an index says of a package.
type page struct {
	index string
	url   string
	files []indexFile
}

func (r *Registry) page(ctx context.Context, name string) (*page, error) {
	var last error
	for _, index := range r.indexes {
		p, err := r.ask(ctx, index, name)
		if err == nil {
			return p, nil
		}
		last = err
		if watch.ProblemOf(err) != watch.Missing {
			return nil, err
		}
	}
	return nil, last
}

func (r *Registry) ask(ctx context.Context, index, name string) (*page, error) {
	fail := func(p watch.Problem, reason string, err error) error {
		return &watch.RegistryError{Problem: p, Registry: fetch.Redact(index), Package: name, Reason: reason, Err: err}
	}
	if !requirementName(name) {
		return nil, fail(watch.Missing, "not the name of a package", nil)
	}
	a, err := r.fetch.Get(ctx, fetch.Request{
		URL: index + "/" + Normalize(name) + "/", Package: name, Registry: index,
		Header: http.Header{"Accept": {accept}}, Limit: 64 << 20,
	})
	if err != nil {
		return nil, err
	}
	p := &page{index: index, url: a.URL}
	switch a.ContentType {
	case "application/vnd.pypi.simple.v1+json", "application/json":
		p.files, err = parseJSON(a.Body)
	case "application/vnd.pypi.simple.v1+html", "text/html":
		p.files, err = parseHTML(a.Body)
	default:
		return nil, fail(watch.Malformed, "it answered with "+watch.Clip(a.ContentType, 80)+", not with an index", nil)
	}
	if err != nil {
		return nil, fail(watch.Malformed, "its answer is not an index of files", err)
	}
	return p, nil
}

func requirementName(name string) bool {
	m := requirementForm.FindStringSubmatch(name)
	return m != nil && m[1] == name
}

// List asks for the files of a package and takes the versions out of their names.
func (r *Registry) List(ctx context.Context, name string) (*watch.Listing, error) {
	p, err := r.page(ctx, name)
	if err != nil {
		return nil, err
	}
	l := &watch.Listing{Registry: fetch.Redact(p.index)}
	l.Releases = releases(Normalize(name), p.files)
	if len(l.Releases) == 0 {
		return nil, &watch.RegistryError{Problem: watch.Missing, Registry: l.Registry, Package: name, Reason: "no file of any version is there"}
	}
	for _, rel := range l.Releases {
		if v, _ := ParseVersion(rel.Version); rel.Withdrawn == "" && !v.Prerelease() {
			l.Latest = rel.Version
		}
	}
	return l, nil
}

// releases gathers files by version; a version is yanked when all its files are.
func releases(pkg string, files []indexFile) []watch.Release {
	type entry struct {
		watch.Release
		v        Version
		standing bool
	}
	var list []*entry
	byName := map[string]*entry{}
	for _, f := range files {
		text, _, ok := fileVersion(pkg, f.name)
		v, good := ParseVersion(text)
		if !ok || !good || len(text) > watch.MaxVersion {
			continue
		}
		key := v.key()
		e := byName[key]
		if e == nil {
			e = &entry{Release: watch.Release{Version: text}, v: v}
			byName[key] = e
			list = append(list, e)
		}
		if f.yanked == "" {
			e.standing = true
		} else if e.Withdrawn == "" {
			e.Withdrawn = f.yanked
		}
		if !f.uploaded.IsZero() && (e.Published.IsZero() || f.uploaded.Before(e.Published)) {
			e.Published = f.uploaded
		}
	}
	slices.SortStableFunc(list, func(a, b *entry) int { return a.v.Compare(b.v) })
	out := make([]watch.Release, len(list))
	for i, e := range list {
		if e.standing {
			e.Withdrawn = ""
		}
		out[i] = e.Release
	}
	return out
}

// key is equal for versions that are equal in PEP 440's order.
func (v Version) key() string {
	return fmt.Sprintf("%s!%s|%s%s|%s|%s|%s", v.epoch, strings.Join(v.release, "."), v.pre, v.preN, v.post, v.dev, strings.Join(v.local, "."))
}

// Newer offers what comes after current.
func (r *Registry) Newer(l *watch.Listing, current string) []watch.Release {
	c, ok := ParseVersion(current)
	if !ok {
		return nil
	}
	var stable, early []watch.Release
	for _, rel := range l.Releases {
		v, ok := ParseVersion(rel.Version)
		if !ok || rel.Withdrawn != "" || v.Compare(c) <= 0 || equalPublic(v, c) {
			continue
		}
		if v.Prerelease() {
			early = append(early, rel)
		} else {
			stable = append(stable, rel)
		}
	}
	if len(stable) == 0 && c.Prerelease() {
		return early
	}
	return stable
}

// equalPublic: 1.0+local is somebody's build of 1.0, and no update of it.
func equalPublic(a, b Version) bool {
	a.local, b.local = nil, nil
	return a.Compare(b) == 0
}

// Step names the distance between two versions by their first three numbers.
func (r *Registry) Step(from, to string) string {
	f, ok1 := ParseVersion(from)
	t, ok2 := ParseVersion(to)
	switch {
	case !ok1 || !ok2:
		return "other"
	case f.epoch != t.epoch || f.part(0) != t.part(0):
		return "major"
	case t.Prerelease():
		return "pre-release"
	case f.part(1) != t.part(1):
		return "minor"
	}
	return "patch"
}

// Archive downloads the best file of a version and compares its sha256.
func (r *Registry) Archive(ctx context.Context, name, version string) (*archive.Tree, error) {
	p, err := r.page(ctx, name)
	if err != nil {
		return nil, err
	}
	fail := func(problem watch.Problem, reason string) error {
		return &watch.RegistryError{Problem: problem, Registry: fetch.Redact(p.index), Package: name + " " + version, Reason: reason}
	}
	f, ok := p.best(Normalize(name), version)
	if !ok {
		return nil, fail(watch.Missing, "no archive of this version is there that can be read")
	}
	address, err := f.address(p.url, p.index)
	if err != nil {
		return nil, fail(watch.Malformed, err.Error())
	}
	sum, ok := f.digest()
	if !ok {
		return nil, fail(watch.Malformed, "the index gives no sha256 for "+watch.Clip(f.name, 100))
	}
	s, err := r.fetch.Download(ctx, fetch.Request{URL: address, Package: name + " " + version, Registry: p.index},
		&fetch.Digest{Name: "sha256", New: sha256.New, Sum: sum})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var t *archive.Tree
	if isZip(f.name) {
		t, err = archive.Zip(s, s.Size, "", !strings.HasSuffix(f.name, ".whl"), r.limits)
	} else {
		t, err = archive.TarGz(s, s.Size, r.limits)
	}
	if err != nil {
		return nil, err
	}
	t.Source, t.Sum, t.Verified, t.Name = fetch.Redact(address), s.Sum, "sha256", f.name
	return t, nil
}

// best picks the file of a version that says most.
func (p *page) best(pkg, version string) (indexFile, bool) {
	want, ok := ParseVersion(version)
	if !ok {
		return indexFile{}, false
	}
	type candidate struct {
		indexFile
		rank int
	}
	var list []candidate
	for _, f := range p.files {
		text, source, ok := fileVersion(pkg, f.name)
		if v, good := ParseVersion(text); ok && good && v.Compare(want) == 0 {
			list = append(list, candidate{f, f.preference(source)})
		}
	}
	if len(list) == 0 {
		return indexFile{}, false
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.name, b.name))
	})
	return list[0].indexFile, true
}
