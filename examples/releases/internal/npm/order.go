package npm

import (
	"regexp"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// full is a version as npm publishes it: three numbers, and what may follow.
// x/mod's semver orders these by the same rules (semver.org 2.0.0, §11).
var full = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

func valid(v string) bool { return full.MatchString(v) && semver.IsValid("v"+v) }

func compare(a, b string) int { return semver.Compare("v"+a, "v"+b) }

func prerelease(v string) string { return semver.Prerelease("v" + v) }

var rangeStart = regexp.MustCompile(`^(?:\^|~>?|>=|=|v)?\s*v?(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)

// lowest is the first version of a range such as ^1.2.3, ~1.2, 1.x, >=1 <3, or
// 1 - 2; of several joined by || the last alternative counts, as it is the
// newest by custom.
func lowest(text string) (string, bool) {
	if i := strings.LastIndex(text, "||"); i >= 0 {
		text = text[i+2:]
	}
	text = strings.TrimSpace(text)
	if i := strings.Index(text, " - "); i >= 0 {
		text = text[:i]
	}
	text = strings.ReplaceAll(text, ">= ", ">=")
	first, _, _ := strings.Cut(text, " ")
	m := rangeStart.FindStringSubmatch(first)
	if m == nil {
		return "", false
	}
	number := func(s string) string {
		if s == "" || strings.ContainsAny(s, "xX*") {
			return "0"
		}
		return s
	}
	v := m[1] + "." + number(m[2]) + "." + number(m[3]) + m[4]
	return v, valid(v)
}

// Newer offers what comes after current, up to what the registry calls latest:
// a higher version that was published under another tag is not meant for all.
func (r *Registry) Newer(l *watch.Listing, current string) []watch.Release {
	if !valid(current) {
		return nil
	}
	early := prerelease(current) != ""
	var list, pre []watch.Release
	for _, rel := range l.Releases {
		if rel.Withdrawn != "" || compare(rel.Version, current) <= 0 {
			continue
		}
		if prerelease(rel.Version) != "" {
			pre = append(pre, rel)
			continue
		}
		if l.Latest != "" && valid(l.Latest) && compare(rel.Version, l.Latest) > 0 {
			continue
		}
		list = append(list, rel)
	}
	if len(list) == 0 && early {
		return pre
	}
	return list
}

// Step names the distance between two versions.
func (r *Registry) Step(from, to string) string {
	f, t := "v"+from, "v"+to
	switch {
	case !valid(from) || !valid(to):
		return "other"
	case semver.Major(f) != semver.Major(t):
		return "major"
	case semver.Prerelease(t) != "":
		return "pre-release"
	case semver.MajorMinor(f) != semver.MajorMinor(t):
		return "minor"
	}
	return "patch"
}
