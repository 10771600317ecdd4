package gomod_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/gomod"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

const sample = `module example.com/app

go 1.26

require (
	example.com/a v1.2.3
	example.com/b v0.1.0 // indirect
	example.com/local v1.0.0
	example.com/forked v1.0.0
)

replace example.com/local => ../local
replace example.com/forked v1.0.0 => example.org/fork v1.0.1
replace example.com/a v1.9.9 => example.org/other v1.0.0
exclude example.com/a v1.2.4
`

func goID(name string) watch.ID { return watch.ID{Ecosystem: watch.Go, Name: name} }

func TestRead(t *testing.T) {
	m, err := gomod.Read("go.mod", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := &watch.Manifest{File: "go.mod", Project: "example.com/app",
		Notes: []string{"1 exclude lines are not followed: an excluded version may be offered"},
		Requirements: []watch.Requirement{
			{ID: goID("example.com/a"), Version: "v1.2.3", Direct: true, Line: 6},
			{ID: goID("example.com/b"), Version: "v0.1.0", Line: 7},
			{ID: goID("example.com/local"), Range: "v1.0.0", Direct: true, Elsewhere: true, Line: 8,
				Note: "replaced by the folder ../local: what is in it is not compared"},
			{ID: goID("example.org/fork"), Version: "v1.0.1", Direct: true, Line: 9, Note: "replaces example.com/forked@v1.0.0"},
		}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadErrors(t *testing.T) {
	var fe *watch.FileError
	_, err := gomod.Read("go.mod", []byte("module x\n\nrequire example.com/a banana\n"))
	if !errors.As(err, &fe) || fe.Line != 3 {
		t.Errorf("err = %v, want one of line 3", err)
	}
	_, err = gomod.Read("go.mod", make([]byte, 50<<20))
	if err == nil || !strings.Contains(err.Error(), "50.0 MiB") || strings.Contains(err.Error(), "\n") {
		t.Errorf("50 MB: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("require (\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := gomod.Read("go.mod", b)
		if err != nil {
			return
		}
		for _, r := range m.Requirements {
			if r.Name == "" || len(r.Name) > watch.MaxName || len(r.Version) > watch.MaxVersion {
				t.Errorf("requirement %+v", r)
			}
		}
	})
}

func TestNewer(t *testing.T) {
	list := func(versions ...string) *watch.Listing {
		l := &watch.Listing{}
		for _, v := range versions {
			l.Releases = append(l.Releases, watch.Release{Version: v})
		}
		return l
	}
	tests := []struct {
		name, current, want string
		l                   *watch.Listing
	}{
		{"next", "v1.0.0", "v1.1.0 v1.2.0", list("v1.0.0", "v1.1.0", "v1.2.0")},
		{"up to date", "v1.2.0", "", list("v1.0.0", "v1.2.0")},
		{"no pre-release", "v1.0.0", "", list("v1.0.0", "v1.1.0-rc.1")},
		{"pre-release to who has one", "v1.1.0-rc.1", "v1.1.0-rc.2", list("v1.0.0", "v1.1.0-rc.1", "v1.1.0-rc.2")},
		{"final to who has a pre-release", "v1.1.0-rc.1", "v1.1.0", list("v1.1.0-rc.2", "v1.1.0")},
		{"pseudo to tag", "v0.0.0-20240101000000-abcdefabcdef", "v0.1.0", list("v0.1.0")},
		{"pseudo to pseudo", "v0.0.0-20240101000000-abcdefabcdef", "v0.0.0-20250101000000-abcdefabcdef", list("v0.0.0-20250101000000-abcdefabcdef")},
		{"pseudo after the tag", "v0.1.1-0.20240101000000-abcdefabcdef", "", list("v0.1.0")},
		{"no +incompatible", "v1.0.0", "v1.1.0", list("v1.1.0", "v4.0.0+incompatible")},
		{"+incompatible stays", "v4.0.0+incompatible", "v4.1.0+incompatible", list("v1.1.0", "v4.1.0+incompatible")},
		{"numbers, not letters", "v1.9.0", "v1.10.0", list("v1.9.0", "v1.10.0")},
	}
	r := registry(t, "https://proxy.example", "")
	for _, tt := range tests {
		var got []string
		for _, n := range r.Newer(tt.l, tt.current) {
			got = append(got, n.Version)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s offers %q, want %q", tt.name, tt.current, s, tt.want)
		}
	}
}

func registry(t *testing.T, proxy, private string) *gomod.Registry {
	t.Helper()
	r, err := gomod.New(gomod.Options{Fetch: fetch.New(fetch.Options{}), Proxy: proxy, Private: private})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func serve(t *testing.T, packages ...registrytest.Package) (*registrytest.Registry, string) {
	t.Helper()
	r := registrytest.New(packages...)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, s.URL + registrytest.GoPath
}

func versions(name string, list ...string) registrytest.Package {
	p := registrytest.Package{ID: goID(name)}
	for _, v := range list {
		p.Versions = append(p.Versions, registrytest.Version{Version: v, Files: map[string]string{"go.mod": "module " + name + "\n"}})
	}
	return p
}

func TestListFindsLatestRetractedAndSuccessor(t *testing.T) {
	p := versions("example.com/Upper", "v1.0.0", "v1.1.0", "v1.2.0")
	p.Versions[2].Files["go.mod"] += "\nretract v1.1.0 // leaks\nretract v1.2.0 // only to retract\n"
	_, base := serve(t, p, versions("example.com/Upper/v2", "v2.0.0", "v2.1.0-rc.1"), versions("example.com/Upper/v3", "v3.4.5"))
	l, err := registry(t, base, "").List(t.Context(), "example.com/Upper")
	if err != nil {
		t.Fatal(err)
	}
	if l.Latest != "v1.0.0" || l.Registry != base {
		t.Errorf("latest %s at %s, want v1.0.0: the later ones are retracted", l.Latest, l.Registry)
	}
	if l.Releases[1].Withdrawn != "retracted: leaks" || l.Releases[0].Withdrawn != "" || l.Releases[0].Published.IsZero() {
		t.Errorf("releases %+v", l.Releases)
	}
	if diff := cmp.Diff(&watch.Successor{Name: "example.com/Upper/v3", Version: "v3.4.5"}, l.Successor); diff != "" {
		t.Errorf("successor (-want +got):\n%s", diff)
	}
}

func TestModuleWithoutTags(t *testing.T) {
	_, base := serve(t, versions("example.com/pseudo", "v0.0.0-20250101000000-abcdefabcdef"))
	l, err := registry(t, base, "").List(t.Context(), "example.com/pseudo")
	if err != nil || l.Latest != "v0.0.0-20250101000000-abcdefabcdef" {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestProxyLists follows https://go.dev/ref/mod#environment-variables, GOPROXY.
func TestProxyLists(t *testing.T) {
	_, have := serve(t, versions("example.com/a", "v1.0.0"))
	_, empty := serve(t)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	t.Cleanup(broken.Close)
	tests := []struct {
		proxy, private string
		problem        watch.Problem
		says           string
	}{
		{have, "", "", ""},
		{empty + "," + have, "", "", ""},
		{broken.URL + "," + have, "", watch.Unreachable, "HTTP 500"},
		{broken.URL + "|" + have, "", "", ""},
		{empty + ",direct", "", watch.Missing, "not found"},
		{"direct", "", watch.Unsupported, "name a proxy"},
		{"off", "", watch.Unsupported, "is off"},
		{empty + ",off", "", watch.Missing, "not found"},
		{have, "example.com/*", watch.Unsupported, "GOPRIVATE"},
	}
	for _, tt := range tests {
		_, err := registry(t, tt.proxy, tt.private).List(t.Context(), "example.com/a")
		if watch.ProblemOf(err) != tt.problem || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("GOPROXY=%s GOPRIVATE=%s: %v, want %q", tt.proxy, tt.private, err, tt.problem)
		}
	}
	for _, bad := range []string{",", "ftp://x", "file:///x"} {
		if _, err := gomod.New(gomod.Options{Proxy: bad}); err == nil {
			t.Errorf("GOPROXY=%s was accepted", bad)
		}
	}
}

func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("GOPROXY=https://from.file\nGOPRIVATE=corp.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GOENV": file}
	get := func(k string) string { return env[k] }
	if proxy, private := gomod.Settings(get); proxy != "https://from.file" || private != "corp.example" {
		t.Errorf("from the file: %q %q", proxy, private)
	}
	env["GOPROXY"], env["GONOPROXY"] = "https://from.env", "none"
	if proxy, private := gomod.Settings(get); proxy != "https://from.env" || private != "none" {
		t.Errorf("from the environment: %q %q", proxy, private)
	}
}

func TestArchiveAndFacts(t *testing.T) {
	p := versions("example.com/lib", "v1.0.0")
	p.Versions[0].Files = map[string]string{
		"go.mod": "module example.com/lib\n\nrequire example.com/dep v1.5.0\n",
		"lib.go": `package lib

import "io"

const Limit = 3
var Default, hidden = 1, 2
type Reader[T any] interface { Read(p []T) (n int, err error); io.Closer; private() }
type Options struct { Name, Path string; secret int; io.Writer }
type Alias = Options
func New(name string, o *Options) (r *Reader[int], err error) { return }
func (o *Options) Do(ctx interface{}, f func(a, b int) map[string]interface{}) {}
func (u unexported) Do() {}
func helper() {}
`,
		"sub/sub.go":      "package sub\n\nfunc F(...string) {}\n",
		"internal/i.go":   "package internal\n\nfunc Hidden() {}\n",
		"cmd/x/main.go":   "package main\n\nfunc Exported() {}\n",
		"lib_test.go":     "package lib\n\nfunc TestX() {}\n",
		"broken.go":       "package lib\n\nfunc {",
		"c/c.go":          "package c\n\nimport \"C\"\n\nvar X int\n",
		"testdata/t.go":   "package t\n\nfunc T() {}\n",
		"_ignored/ign.go": "package ign\n\nfunc I() {}\n",
	}
	_, base := serve(t, p)
	r := registry(t, base, "")
	tree, err := r.Archive(t.Context(), "example.com/lib", "v1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	want := watch.Facts{
		Dependencies: map[string]string{"example.com/dep": "v1.5.0"},
		Scripts:      map[string]string{"cgo in c": `import "C"`},
		Notes:        []string{"1 Go files could not be parsed; their API is not compared"},
		Exports: map[string]string{
			"Limit": "const Limit", "Default": "var Default",
			"Reader": "type Reader[any] interface", "Reader.Read": "method Reader.Read([]T) (int, error)", "Reader.io.Closer": "embedded io.Closer in Reader",
			"Options": "type Options struct", "Options.Name": "field Options.Name string", "Options.Path": "field Options.Path string",
			"Options.io.Writer": "embedded io.Writer in Options", "Alias": "type Alias = Options",
			"New": "func New(string, *Options) (*Reader[int], error)", "Options.Do": "func (*Options) Do(any, func(int, int) map[string]any)",
			"sub: F": "func F(...string)", "c: X": "var X int",
		},
	}
	if diff := cmp.Diff(want, r.Facts(tree)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	_, err = r.Archive(t.Context(), "example.com/lib", "v9.9.9")
	if watch.ProblemOf(err) != watch.Missing {
		t.Errorf("a version that is not there: %v", err)
	}
}

func TestArchiveOfAnotherModuleIsRefused(t *testing.T) {
	p := versions("example.com/lib", "v1.0.0")
	p.Versions[0].Raw = registrytest.Zip("example.com/lib@v1.0.0/../../", map[string]string{"x": ""})
	_, base := serve(t, p)
	_, err := registry(t, base, "").Archive(t.Context(), "example.com/lib", "v1.0.0")
	var refused *archive.Refusal
	if !errors.As(err, &refused) {
		t.Errorf("err = %v, want a refusal", err)
	}
}

func FuzzExports(f *testing.F) {
	f.Add("package p\n\ntype T[P any] struct{ X P }\nfunc (t *T[P]) M() {}\n")
	f.Fuzz(func(t *testing.T, src string) {
		(&gomod.Registry{}).Facts(&archive.Tree{Files: map[string]*archive.File{"a.go": {Path: "a.go", Text: []byte(src)}, "go.mod": {Path: "go.mod", Text: []byte(src)}}})
	})
}

func TestStep(t *testing.T) {
	r := registry(t, "https://proxy.example", "")
	for _, tt := range [][3]string{
		{"v1.0.0", "v1.0.1", "patch"}, {"v1.0.0", "v1.1.0", "minor"}, {"v1.0.0", "v2.0.0+incompatible", "major"},
		{"v1.0.0-rc.1", "v1.0.0-rc.2", "pre-release"}, {"v0.0.0-20240101000000-abcdefabcdef", "v0.1.0", "other"},
	} {
		if got := r.Step(tt[0], tt[1]); got != tt[2] {
			t.Errorf("Step(%s, %s) = %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
}
