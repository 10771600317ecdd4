//go:build live

// Package live asks the real registries, as configured for the go command, npm
// and pip. It runs with `make live` (go test -tags live), not with the others:
// what it finds changes from day to day.
package live

import (
	"os"
	"testing"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/advisory"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/gomod"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/npm"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/pypi"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

func registries(t *testing.T) map[watch.Ecosystem]watch.Registry {
	t.Helper()
	f := fetch.New(fetch.Options{})
	t.Cleanup(f.Close)
	proxy, private := gomod.Settings(os.Getenv)
	g, err := gomod.New(gomod.Options{Fetch: f, Proxy: proxy, Private: private})
	if err != nil {
		t.Fatal(err)
	}
	c, err := npm.Settings(os.Environ(), ".")
	if err != nil {
		t.Fatal(err)
	}
	indexes, err := pypi.Settings(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pypi.New(f, indexes, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return map[watch.Ecosystem]watch.Registry{watch.Go: g, watch.NPM: npm.New(f, c, archive.Limits{}), watch.PyPI: p}
}

func TestRealRegistries(t *testing.T) {
	tests := []struct {
		ecosystem watch.Ecosystem
		name      string
		from, to  string // versions that were published long ago and stay
		licence   string
		verified  string
	}{
		{watch.Go, "golang.org/x/mod", "v0.20.0", "v0.21.0", "BSD-3-Clause", ""},
		{watch.Go, "github.com/BurntSushi/toml", "v1.3.2", "v1.4.0", "MIT", ""},
		{watch.NPM, "is-odd", "3.0.0", "3.0.1", "MIT", "sha512"},
		{watch.NPM, "@babel/code-frame", "7.22.5", "7.23.5", "MIT", "sha512"},
		{watch.PyPI, "idna", "3.6", "3.7", "", "sha256"},
		{watch.PyPI, "requests", "2.31.0", "2.32.3", "", "sha256"},
	}
	all := registries(t)
	for _, tt := range tests {
		t.Run(string(tt.ecosystem)+"/"+tt.name, func(t *testing.T) {
			r := all[tt.ecosystem]
			l, err := r.List(t.Context(), tt.name)
			if err != nil {
				t.Fatal(err)
			}
			newer := r.Newer(l, tt.from)
			if len(newer) == 0 || l.Latest == "" {
				t.Fatalf("nothing after %s among %d releases, latest %q", tt.from, len(l.Releases), l.Latest)
			}
			t.Logf("%s: latest %s of %d, %d after %s", l.Registry, l.Latest, len(l.Releases), len(newer), tt.from)
			var sides [2]advisory.Side
			for i, v := range []string{tt.from, tt.to} {
				tree, err := r.Archive(t.Context(), tt.name, v)
				if err != nil {
					t.Fatal(err)
				}
				if tree.Verified != tt.verified || len(tree.Files) == 0 {
					t.Errorf("%s: %d files, verified by %q, want %q", v, len(tree.Files), tree.Verified, tt.verified)
				}
				sides[i] = advisory.Side{Release: watch.Release{Version: v}, Tree: tree, Facts: r.Facts(tree)}
			}
			a := advisory.Compare(watch.ID{Ecosystem: tt.ecosystem, Name: tt.name}, r.Step(tt.from, tt.to), sides[0], sides[1])
			if a.Files.ChangedCount == 0 || tt.licence != "" && a.Licence.To != tt.licence {
				t.Errorf("%d files changed, licence %q", a.Files.ChangedCount, a.Licence.To)
			}
			t.Logf("files +%d -%d ~%d, lines +%d -%d, licence %s", a.Files.AddedCount, a.Files.RemovedCount, a.Files.ChangedCount, a.Lines.Added, a.Lines.Removed, a.Licence.To)
			for _, f := range a.Findings {
				t.Logf("%s: %s", f.Level, f.Text)
			}
		})
	}
}

func TestRealRegistriesSayWhatIsMissing(t *testing.T) {
	for e, name := range map[watch.Ecosystem]string{watch.NPM: "dayfly-no-such-package-here", watch.PyPI: "dayfly-no-such-package-here", watch.Go: "example.com/dayfly/no/such"} {
		if _, err := registries(t)[e].List(t.Context(), name); watch.ProblemOf(err) == "" {
			t.Errorf("%s: %v", e, err)
		} else {
			t.Log(err)
		}
	}
}
