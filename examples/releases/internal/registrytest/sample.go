package registrytest

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

func day(month, d int) time.Time { return time.Date(2026, time.Month(month), d, 12, 0, 0, 0, time.UTC) }

const mit = `Copyright (c) 2026 The Authors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software to deal in it without restriction.
`

const business = `Business Source License 1.1

Production use needs a commercial licence.
`

// Sample is a handful of packages that show what an advisory can say.
func Sample() []Package {
	return []Package{
		{watch.ID{Ecosystem: watch.NPM, Name: "is-odd"}, []Version{
			{Version: "3.0.0", Published: day(1, 5), Files: map[string]string{
				"package.json": `{"name":"is-odd","version":"3.0.0","license":"MIT","dependencies":{"is-number":"^6.0.0"}}`,
				"index.js":     "module.exports = n => n % 2 === 1;\n", "LICENSE": mit,
			}},
			{Version: "3.0.1", Published: day(5, 5), Files: map[string]string{
				"package.json": `{"name":"is-odd","version":"3.0.1","license":"MIT","dependencies":{"is-number":"^6.0.0"}}`,
				"index.js":     "module.exports = n => Math.abs(n) % 2 === 1;\n", "LICENSE": mit,
				"CHANGELOG.md": "# 3.0.1\n\nNegative numbers are odd too.\n",
			}},
		}},
		{watch.ID{Ecosystem: watch.NPM, Name: "@sample/paint"}, []Version{
			{Version: "1.2.0", Published: day(1, 5), Files: map[string]string{
				"package.json": `{"name":"@sample/paint","version":"1.2.0","license":"MIT"}`, "LICENSE": mit, "index.js": "exports.red = 1;\n",
			}},
			{Version: "2.0.0-rc.1", Published: day(2, 5), Files: map[string]string{"package.json": `{"name":"@sample/paint","version":"2.0.0-rc.1"}`}},
			{Version: "2.0.0", Published: day(6, 5), Files: map[string]string{
				"package.json": `{"name":"@sample/paint","version":"2.0.0","license":"BUSL-1.1","scripts":{"postinstall":"node setup.js"},"dependencies":{"is-odd":"^3.0.0"}}`,
				"LICENSE":      business, "index.js": "exports.red = 2;\nexports.blue = 3;\n", "setup.js": "console.log('hello');\n",
				"bin/paint": "\x7fELF\x02\x01\x01\x00\x00\x00", "CHANGELOG.md": "# 2.0.0\n\nBlue.\n",
			}},
		}},
		{watch.ID{Ecosystem: watch.PyPI, Name: "idna"}, []Version{
			{Version: "3.9", Published: day(1, 5), Files: python("idna", "3.9", "")},
			{Version: "3.10", Published: day(3, 5), Files: python("idna", "3.10", "")},
			{Version: "3.11", Published: day(4, 5), Withdrawn: "wrong tables", Files: python("idna", "3.11", "")},
			{Version: "4.0b1", Published: day(5, 5), Files: python("idna", "4.0b1", "")},
		}},
		{watch.ID{Ecosystem: watch.PyPI, Name: "requests"}, []Version{
			{Version: "2.31.0", Published: day(1, 5), Files: python("requests", "2.31.0", "Requires-Dist: idna<4,>=2.5\n")},
			{Version: "2.32.0", Published: day(3, 5), Files: python("requests", "2.32.0", "Requires-Dist: idna<4,>=2.5\nRequires-Dist: certifi>=2017.4.17\n")},
		}},
	}
}

func python(name, version, requires string) map[string]string {
	return map[string]string{
		"PKG-INFO": "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\nLicense: BSD-3-Clause\n" + requires + "\nA package.\n",
		"setup.py": "from setuptools import setup\nsetup(name='" + name + "')\n",
		strings.ReplaceAll(name, "-", "_") + "/__init__.py": "__version__ = '" + version + "'\n",
	}
}

// telling are modules that get a newer version with something to tell.
var telling = []string{
	"golang.org/x/mod", "golang.org/x/sync", "github.com/google/go-cmp", "github.com/spf13/cobra", "modernc.org/sqlite",
	"github.com/pelletier/go-toml/v2",
}

// GoModules composes the modules a go.mod requires: each in the version
// required, and some of them in a newer one too, so that updates are found.
func GoModules(gomod []byte) ([]Package, error) {
	f, err := modfile.ParseLax("go.mod", gomod, nil)
	if err != nil {
		return nil, err
	}
	var list []Package
	for _, r := range f.Require {
		p := Package{ID: watch.ID{Ecosystem: watch.Go, Name: r.Mod.Path}}
		p.Versions = append(p.Versions, Version{Version: r.Mod.Version, Published: day(1, 5), Files: goFiles(r.Mod.Path, "func Old() int", 1)})
		for _, t := range telling {
			if t == r.Mod.Path {
				p.Versions = append(p.Versions, Version{Version: next(r.Mod.Version), Published: day(6, 5), Files: goFiles(r.Mod.Path, "func New(s string) int", 2)})
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// next minor version.
func next(v string) string {
	if module.IsPseudoVersion(v) {
		return semver.Major(v) + ".999.0"
	}
	var major, minor int
	fmt.Sscanf(semver.MajorMinor(v), "v%d.%d", &major, &minor) //nolint:errcheck // MajorMinor has this form
	return fmt.Sprintf("v%d.%d.0", major, minor+1)
}

func goFiles(path, decl string, number int) map[string]string {
	files := map[string]string{
		"go.mod":  "module " + path + "\n\ngo 1.24\n",
		"LICENSE": mit,

		"CHANGELOG.md": "# Old\n\nThe first.\n",
		"lib.go":       fmt.Sprintf("// Package lib is composed for tests.\npackage lib\n\n// Both stays.\nfunc Both() {}\n\n%s { return %d }\n", decl, number),
	}
	if number > 1 {
		files["go.mod"] += "\nrequire golang.org/x/text v0.30.0\n"
		files["CHANGELOG.md"] = "# New\n\nOld is gone, New takes a string.\n\n# Old\n\nThe first.\n"
	}
	return files
}
