package gomod

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// List asks for @v/list, for @latest when that names nothing, for what was
// retracted, and for later major versions under their own names.
func (r *Registry) List(ctx context.Context, name string) (*watch.Listing, error) {
	escaped, err := module.EscapePath(name)
	if err != nil {
		return nil, &watch.RegistryError{Problem: watch.Missing, Registry: "GOPROXY", Package: name, Reason: "not the path of a module"}
	}
	var l *watch.Listing
	err = r.each(ctx, name, func(base string) error {
		var err error
		l, err = r.list(ctx, base, name, escaped)
		return err
	})
	return l, err
}

func (r *Registry) list(ctx context.Context, base, name, escaped string) (*watch.Listing, error) {
	l := &watch.Listing{Registry: fetch.Redact(base)}
	versions, err := r.versions(ctx, base, name, escaped, false)
	if err != nil && watch.ProblemOf(err) != watch.Missing {
		return nil, err
	}
	stable := slices.ContainsFunc(versions, func(v string) bool { return semver.Prerelease(v) == "" })
	if !stable {
		// Nothing tagged for use: then the newest commit is the latest version.
		info, latestErr := r.latest(ctx, base, name, escaped)
		if latestErr == nil && !slices.Contains(versions, info.Version) {
			versions = append(versions, info.Version)
		} else if len(versions) == 0 {
			return nil, nothingListed(err, latestErr, l.Registry, name)
		}
	}
	semver.Sort(versions)
	for _, v := range versions {
		l.Releases = append(l.Releases, watch.Release{Version: v})
	}
	if err := r.describe(ctx, base, name, escaped, l); err != nil {
		return nil, err
	}
	l.Successor = r.successor(ctx, base, name)
	return l, nil
}

// nothingListed tells a module the proxy does not know from one it knows no
// versions of.
func nothingListed(listErr, latestErr error, registry, name string) error {
	if listErr == nil && watch.ProblemOf(latestErr) == watch.Missing {
		return &watch.RegistryError{Problem: watch.Missing, Registry: registry, Package: name,
			Reason: "the proxy knows the module and offers neither a tagged nor a latest version", Err: latestErr}
	}
	if watch.ProblemOf(listErr) == watch.Missing || latestErr == nil {
		return firstOf(listErr, latestErr)
	}
	return latestErr
}

// describe fills in when the newest version was made and what is retracted.
func (r *Registry) describe(ctx context.Context, base, name, escaped string, l *watch.Listing) error {
	top := newest(l.Releases)
	v, err := module.EscapeVersion(l.Releases[top].Version)
	if err != nil {
		return nil // such a version is never asked for by the go command either
	}
	prefix := base + "/" + escaped + "/@v/" + v
	if a, err := r.get(ctx, base, name, prefix+".mod", false); err == nil {
		for _, ret := range retractions(a.Body) {
			retract(l.Releases, ret.Low, ret.High, ret.Rationale)
		}
	} else if watch.ProblemOf(err) != watch.Missing {
		return err
	}
	top = newest(l.Releases)
	l.Latest = l.Releases[top].Version
	if v, err = module.EscapeVersion(l.Latest); err != nil {
		return nil
	}
	var info info
	a, err := r.get(ctx, base, name, base+"/"+escaped+"/@v/"+v+".info", false)
	if err == nil && json.Unmarshal(a.Body, &info) == nil {
		l.Releases[top].Published = info.Time.UTC()
	}
	return nil
}

func retract(list []watch.Release, low, high, why string) {
	if why == "" {
		why = "no reason given"
	}
	for i := range list {
		if v := list[i].Version; semver.Compare(v, low) >= 0 && semver.Compare(v, high) <= 0 {
			list[i].Withdrawn = watch.Clip("retracted: "+why, watch.MaxNote)
		}
	}
}

// newest is the highest release that stands, or else the highest of all.
func newest(list []watch.Release) int {
	best, standing := len(list)-1, -1
	for i, r := range list {
		if r.Withdrawn == "" && semver.Prerelease(r.Version) == "" && !strings.HasSuffix(r.Version, "+incompatible") {
			standing = i
		}
	}
	if standing >= 0 {
		return standing
	}
	return best
}

// maxMajors bounds how many majors ahead a successor is looked for.
const maxMajors = 20

// successor looks for /v2 and on, until a major is not there.
func (r *Registry) successor(ctx context.Context, base, name string) *watch.Successor {
	var found *watch.Successor
	for _, next := range successors(name, maxMajors) {
		escaped, err := module.EscapePath(next)
		if err != nil {
			return found
		}
		versions, err := r.versions(ctx, base, next, escaped, true)
		if err != nil {
			return found
		}
		semver.Sort(versions)
		stable := slices.DeleteFunc(versions, func(v string) bool { return semver.Prerelease(v) != "" })
		if len(stable) == 0 {
			return found
		}
		found = &watch.Successor{Name: next, Version: stable[len(stable)-1]}
	}
	return found
}

// versions reads @v/list. quiet asks the proxy for what it has at hand, so
// that a guess (is there a /v2?) costs no clone of a repository there.
func (r *Registry) versions(ctx context.Context, base, name, escaped string, quiet bool) ([]string, error) {
	a, err := r.get(ctx, base, name, base+"/"+escaped+"/@v/list", quiet)
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(a.Body)) {
		v, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		// The list may hold pseudo-versions in old proxies; they are no tags.
		if semver.IsValid(v) && v == module.CanonicalVersion(v) && !module.IsPseudoVersion(v) && len(v) <= watch.MaxVersion {
			list = append(list, v)
		}
	}
	return list, nil
}

type info struct {
	Version string
	Time    time.Time
}

func (r *Registry) latest(ctx context.Context, base, name, escaped string) (info, error) {
	var i info
	a, err := r.get(ctx, base, name, base+"/"+escaped+"/@latest", false)
	if err != nil {
		return i, err
	}
	if json.Unmarshal(a.Body, &i) != nil || !semver.IsValid(i.Version) || len(i.Version) > watch.MaxVersion {
		return i, &watch.RegistryError{Problem: watch.Malformed, Registry: fetch.Redact(base), Package: name,
			Reason: "@latest is not what the protocol says"}
	}
	return i, nil
}

func (r *Registry) get(ctx context.Context, base, name, address string, quiet bool) (*fetch.Answer, error) {
	q := fetch.Request{URL: address, Package: name, Registry: base, Limit: 4 << 20}
	if quiet {
		q.Header = http.Header{"Disable-Module-Fetch": {"true"}}
	}
	return r.o.Fetch.Get(ctx, q)
}
