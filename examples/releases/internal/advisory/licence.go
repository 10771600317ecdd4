package advisory

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
)

// licenceFile names files that hold terms.
var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|unlicense|notice)([-.][a-z0-9.-]+)?$`)

// copyrightLine is one that names years and people, which change each January.
var copyrightLine = regexp.MustCompile(`(?i)^\W*(copyright\b|\(c\)|©)`)

// phrases tell well-known texts apart; the first that fits names the licence.
var phrases = []struct{ name, phrase string }{
	{"AGPL-3.0", "gnu affero general public license version 3"},
	{"LGPL", "gnu lesser general public license"},
	{"GPL-3.0", "gnu general public license version 3"},
	{"GPL-2.0", "gnu general public license version 2"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"Apache-2.0", "apache license version 2.0"},
	{"BUSL-1.1", "business source license 1.1"},
	{"SSPL-1.0", "server side public license"},
	{"Elastic-2.0", "elastic license 2.0"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software"},
	{"ISC", "permission to use, copy, modify, and distribute this software"},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"Unlicense", "this is free and unencumbered software released into the public domain"},
}

// terms is a licence's text without years, names, spacing and case.
func terms(text []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if copyrightLine.MatchString(line) {
			continue
		}
		for _, w := range strings.Fields(strings.ToLower(line)) {
			b.WriteString(strings.Trim(w, "*#=-_"))
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// recognise names a well-known licence, or "" for another text.
func recognise(text []byte) string {
	t := strings.ReplaceAll(terms(text), "license, version", "license version")
	if strings.Contains(t, "redistribution and use in source and binary forms") {
		if strings.Contains(t, "neither the name") {
			return "BSD-3-Clause"
		}
		return "BSD-2-Clause"
	}
	for _, p := range phrases {
		if strings.Contains(t, p.phrase) {
			return p.name
		}
	}
	return ""
}

// licenceFiles of a tree's root, by path.
func licenceFiles(t *archive.Tree) map[string]*archive.File {
	m := map[string]*archive.File{}
	for p, f := range t.Files {
		if path.Dir(p) == "." && licenceFile.MatchString(p) && f.Text != nil {
			m[p] = f
		}
	}
	return m
}

// compareLicence looks at what is declared and at the texts at the root.
func compareLicence(from, to *archive.Tree, declaredFrom, declaredTo string) Licence {
	a, b := licenceFiles(from), licenceFiles(to)
	l := Licence{From: declaredFrom, To: declaredTo, Files: []Change{}}
	if l.From == "" {
		l.From = names(a)
	}
	if l.To == "" {
		l.To = names(b)
	}
	// A declaration that appears where there was none, or is written in a new
	// way ("Apache 2.0", "Apache-2.0"), is no change of terms.
	l.Changed = plain(declaredFrom) != plain(declaredTo) && declaredFrom != "" && declaredTo != ""
	for _, p := range union(a, b) {
		fa, fb := a[p], b[p]
		switch {
		case fa == nil:
			l.Files = append(l.Files, Change{Name: p, To: describe(fb)})
		case fb == nil:
			l.Files = append(l.Files, Change{Name: p, From: describe(fa)})
			l.Changed = l.Changed || len(b) == 0
		case terms(fa.Text) != terms(fb.Text):
			l.Files = append(l.Files, Change{Name: p, From: describe(fa), To: describe(fb)})
			if !strings.HasPrefix(strings.ToLower(p), "notice") {
				l.Changed = true
			}
		}
	}
	if names(a) != names(b) && len(a) > 0 && len(b) > 0 {
		l.Changed = true
	}
	return l
}

// fillers say nothing about which licence it is.
var fillers = regexp.MustCompile(`(?i)\b(the|licen[cs]ed?|software|version|under|v)\b|[^a-z0-9]+`)

// plain writes a declaration without what people write differently.
func plain(declared string) string {
	s := fillers.ReplaceAllString(strings.ToLower(declared), "")
	if s == "apache2" || s == "apache20" || s == "asl20" {
		return "apache20"
	}
	return s
}

func describe(f *archive.File) string {
	if n := recognise(f.Text); n != "" {
		return n
	}
	return "a text of its own"
}

func names(files map[string]*archive.File) string {
	var list []string
	for _, f := range files {
		if n := recognise(f.Text); n != "" && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// union of the keys of two maps, sorted.
func union[V, W any](a map[string]V, b map[string]W) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
