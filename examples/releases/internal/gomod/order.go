package gomod

import (
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Newer offers what comes after current in the order of semantic versions.
// Pre-releases are offered only to who uses one (pseudo-versions are none in
// this sense: they are offered tags), and +incompatible ones only to who is
// there already, as the go command does.
func (r *Registry) Newer(l *watch.Listing, current string) []watch.Release {
	pre := semver.Prerelease(current) != "" && !module.IsPseudoVersion(current)
	incompatible := strings.HasSuffix(current, "+incompatible")
	var stable, early []watch.Release
	for _, rel := range l.Releases {
		v := rel.Version
		if rel.Withdrawn != "" || semver.Compare(v, current) <= 0 {
			continue
		}
		if strings.HasSuffix(v, "+incompatible") && !incompatible {
			continue
		}
		if semver.Prerelease(v) != "" {
			early = append(early, rel)
			continue
		}
		stable = append(stable, rel)
	}
	switch {
	case len(stable) > 0:
		return stable
	case pre, module.IsPseudoVersion(current) && onlyPseudo(early):
		return early
	}
	return nil
}

// onlyPseudo: a module without tags is known by its newest commit alone.
func onlyPseudo(list []watch.Release) bool {
	for _, r := range list {
		if !module.IsPseudoVersion(r.Version) {
			return false
		}
	}
	return true
}

// Step names the distance between two versions.
func (r *Registry) Step(from, to string) string {
	switch {
	case module.IsPseudoVersion(to), module.IsPseudoVersion(from) && semver.Major(from) == semver.Major(to):
		return "other"
	case semver.Major(from) != semver.Major(to):
		return "major"
	case semver.Prerelease(to) != "":
		return "pre-release"
	case semver.MajorMinor(from) != semver.MajorMinor(to):
		return "minor"
	}
	return "patch"
}
