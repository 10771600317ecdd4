// Package prefix tells which requests a rule of the edge is for: those at a
// path, and those below it.
package prefix

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Check returns what is wrong with a path that is to name a rule's requests:
// "/", "/api" and "/api/" are right, the latter two mean the same.
func Check(s string) error {
	switch {
	case !strings.HasPrefix(s, "/"):
		return fmt.Errorf("%q does not begin with /", s)
	case len(s) > 1024 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%q is not a path: it has no spaces and at most 1024 bytes", s)
	case strings.ContainsAny(s, "?#*"):
		return fmt.Errorf("%q is a path without query and wildcards: what is below it is meant too", s)
	case s != path.Clean(s) && (path.Clean(s) == "/" || s != path.Clean(s)+"/"):
		return fmt.Errorf("%q has empty or dot segments; write %q", s, path.Clean(s))
	}
	return nil
}

// Has reports whether a request's path (decoded) is prefix or below it. Both
// are compared as an application would understand them that ignores empty
// segments and resolves dots, so that no spelling of a path escapes a rule.
func Has(p, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	if strings.Contains(p, "//") || strings.Contains(p, "/.") {
		p = path.Clean(p)
	}
	return strings.HasPrefix(p, prefix) && (len(p) == len(prefix) || p[len(prefix)] == '/')
}

// Longest returns the index of the longest of the prefixes that a path has, -1
// if it has none.
func Longest(p string, prefixes []string) int {
	best, length := -1, -1
	for i, s := range prefixes {
		if n := len(strings.TrimSuffix(s, "/")); n > length && Has(p, s) {
			best, length = i, n
		}
	}
	return best
}

// HasAny reports whether a path has any of the prefixes.
func HasAny(p string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(s string) bool { return Has(p, s) })
}
