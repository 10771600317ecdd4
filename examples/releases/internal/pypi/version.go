// Package pypi speaks of Python packages: it reads requirements files, asks
// package indexes, and orders versions by PEP 440.
package pypi

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Version is a version in the order of PEP 440
// (https://packaging.python.org/specifications/version-specifiers/).
type Version struct {
	epoch   string
	release []string // without zeros at its end
	pre     string   // "a", "b", "rc" or ""
	preN    string
	post    string // "" when it is none; else its number
	dev     string
	local   []string
}

// form is the pattern of the specification's appendix, with our names.
var form = regexp.MustCompile(`(?i)^\s*v?(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)` +
	`(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pren>[0-9]+)?)?` +
	`(?:-(?P<post1>[0-9]+)|(?P<post>[-_.]?(?:post|rev|r)[-_.]?(?P<postn>[0-9]+)?))?` +
	`(?P<dev>[-_.]?dev[-_.]?(?P<devn>[0-9]+)?)?` +
	`(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$`)

var (
	groups   = form.SubexpNames()
	preNames = map[string]string{"alpha": "a", "a": "a", "beta": "b", "b": "b", "c": "rc", "rc": "rc", "pre": "rc", "preview": "rc"}
)

// ParseVersion reads a version; ok is false for what PEP 440 does not know.
func ParseVersion(s string) (v Version, ok bool) {
	if len(s) > 200 {
		return v, false
	}
	m := form.FindStringSubmatch(s)
	if m == nil {
		return v, false
	}
	group := func(name string) string { return strings.ToLower(m[slices.Index(groups, name)]) }
	v.epoch = number(group("epoch"))
	for _, n := range strings.Split(group("release"), ".") {
		v.release = append(v.release, number(n))
	}
	for len(v.release) > 1 && v.release[len(v.release)-1] == "0" {
		v.release = v.release[:len(v.release)-1]
	}
	if p := group("pre"); p != "" {
		v.pre, v.preN = preNames[p], number(group("pren"))
	}
	if group("post1") != "" {
		v.post = number(group("post1"))
	} else if group("post") != "" {
		v.post = number(group("postn"))
	}
	if group("dev") != "" {
		v.dev = number(group("devn"))
	}
	if l := group("local"); l != "" {
		v.local = strings.FieldsFunc(l, func(r rune) bool { return r == '.' || r == '-' || r == '_' })
	}
	return v, true
}

// number drops leading zeros and stands for a missing number, so that numbers
// of any length compare as text.
func number(s string) string {
	s = strings.TrimLeft(s, "0")
	if s == "" {
		return "0"
	}
	return s
}

func compareNumber(a, b string) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// Prerelease reports whether v is offered only to who asks: a, b, rc and dev.
func (v Version) Prerelease() bool { return v.pre != "" || v.dev != "" }

// Compare orders two versions: epoch, release, then
// dev < a < b < rc < final < post, each of them after its own dev.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		compareNumber(v.epoch, w.epoch),
		slices.CompareFunc(v.release, w.release, compareNumber),
		cmp.Compare(v.phase(), w.phase()),
		compareNumber(v.preN, w.preN),
		compareOptional(v.post, w.post, -1),
		compareOptional(v.dev, w.dev, 1),
		slices.CompareFunc(v.local, w.local, compareLocal),
	)
}

// phase places a release among those of the same numbers. A dev release of
// nothing else comes before all.
func (v Version) phase() int {
	switch {
	case v.pre == "" && v.post == "" && v.dev != "":
		return 0
	case v.pre == "a":
		return 1
	case v.pre == "b":
		return 2
	case v.pre == "rc":
		return 3
	}
	return 4
}

// compareOptional orders numbers of which one may be missing; missing says
// where that one stands: -1 before all, 1 after all.
func compareOptional(a, b string, missing int) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return missing
	case b == "":
		return -missing
	}
	return compareNumber(a, b)
}

// compareLocal orders segments of a local version: numbers after words.
func compareLocal(a, b string) int {
	an, bn := isNumber(a), isNumber(b)
	switch {
	case an && bn:
		return compareNumber(number(a), number(b))
	case an:
		return 1
	case bn:
		return -1
	}
	return strings.Compare(a, b)
}

func isNumber(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// part returns the n-th number of the release, "0" when it is not written.
func (v Version) part(n int) string {
	if n < len(v.release) {
		return v.release[n]
	}
	return "0"
}
