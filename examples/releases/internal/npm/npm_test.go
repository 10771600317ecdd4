package npm_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/fetch"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/npm"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

func id(name string) watch.ID { return watch.ID{Ecosystem: watch.NPM, Name: name} }

const packageJSON = `{
  "name": "shop",
  "dependencies": {
    "exact": "1.2.3",
    "caret": "^1.2.0",
    "local": "file:../x",
    "alias": "npm:@scope/real@~2.0",
    "any": "*"
  },
  "devDependencies": { "either": "^1 || ^2.5" },
  "peerDependencies": { "react": ">=16" }
}`

func TestReadPackageJSON(t *testing.T) {
	m, err := npm.Read("package.json", []byte(packageJSON))
	if err != nil {
		t.Fatal(err)
	}
	low := "the lowest version its range allows"
	want := &watch.Manifest{File: "package.json", Project: "shop",
		Notes: []string{"1 peer dependencies are not watched: who uses the package chooses them"},
		Requirements: []watch.Requirement{
			{ID: id("@scope/real"), Version: "2.0.0", Range: "npm:@scope/real@~2.0", Direct: true, Line: 7, Note: "called alias here; " + low},
			{ID: id("any"), Range: "*", Direct: true, Line: 8, Note: "any version, until a package-lock.json says which"},
			{ID: id("caret"), Version: "1.2.0", Range: "^1.2.0", Direct: true, Line: 5, Note: low},
			{ID: id("exact"), Version: "1.2.3", Direct: true, Line: 4},
			{ID: id("local"), Range: "file:../x", Direct: true, Elsewhere: true, Line: 6, Note: "does not come from a registry: not compared"},
			{ID: id("either"), Version: "2.5.0", Range: "^1 || ^2.5", Direct: true, Dev: true, Note: low},
		}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLowestOfRanges(t *testing.T) {
	for text, want := range map[string]string{
		"1.2.3": "1.2.3", "v1.2.3": "1.2.3", "=1.2.3": "1.2.3", "^1.2": "1.2.0", "~1": "1.0.0", "1.x": "1.0.0", ">=1.2 <2": "1.2.0",
		">= 1.2.0": "1.2.0", "1.0.0 - 2.0.0": "1.0.0", "^1.0.0-beta.2": "1.0.0-beta.2", "<2": "", "latest": "", "": "", "x": "",
	} {
		m, err := npm.Read("package.json", []byte(`{"dependencies":{"a":"`+text+`"}}`))
		if err != nil || m.Requirements[0].Version != want {
			t.Errorf("%q: %+v, %v; want %q", text, m, err, want)
		}
	}
}

const lock3 = `{
 "name": "shop", "lockfileVersion": 3,
 "packages": {
  "": {"name": "shop", "dependencies": {"a": "^1.0.0", "w": "1"}, "devDependencies": {"d": "1"}},
  "node_modules/a": {"version": "1.0.5"},
  "node_modules/a/node_modules/b": {"version": "2.0.0"},
  "node_modules/b": {"version": "1.0.0", "dev": true},
  "node_modules/d": {"version": "1.1.0", "dev": true},
  "node_modules/@s/c": {"version": "3.0.0", "name": "@s/real"},
  "node_modules/w": {"resolved": "packages/w", "link": true},
  "packages/w": {"version": "1.0.0", "dependencies": {"b": "1"}},
  "node_modules/g": {"version": "git+ssh://git@example.com/g.git#abc"}
 }
}`

func TestReadLockWithPackages(t *testing.T) {
	for _, version := range []string{"2", "3"} {
		m, err := npm.ReadLock("package-lock.json", []byte(strings.Replace(lock3, `"lockfileVersion": 3`, `"lockfileVersion": `+version, 1)))
		if err != nil {
			t.Fatal(err)
		}
		want := []watch.Requirement{
			{ID: id("@s/real"), Version: "3.0.0", Line: 9, Note: "called @s/c here"},
			{ID: id("a"), Version: "1.0.5", Direct: true, Line: 5},
			{ID: id("b"), Version: "2.0.0", Line: 6},
			{ID: id("b"), Version: "1.0.0", Dev: true, Direct: true, Line: 7},
			{ID: id("d"), Version: "1.1.0", Dev: true, Direct: true, Line: 8},
			{ID: id("g"), Range: "git+ssh://git@example.com/g.git#abc", Elsewhere: true, Line: 12, Note: "does not come from a registry: not compared"},
		}
		if diff := cmp.Diff(want, m.Requirements); diff != "" {
			t.Errorf("version %s (-want +got):\n%s", version, diff)
		}
	}
}

func TestReadLockVersion1(t *testing.T) {
	m, err := npm.ReadLock("package-lock.json", []byte(`{
 "name": "shop", "lockfileVersion": 1,
 "dependencies": {
  "a": {"version": "1.0.0", "requires": {"b": "^1.0.0"}, "dependencies": {"b": {"version": "1.5.0"}}},
  "b": {"version": "2.0.0", "dev": true},
  "n": {"version": "npm:real@4.0.0"}
 }
}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []watch.Requirement{
		{ID: id("a"), Version: "1.0.0", Direct: true, Line: 4},
		{ID: id("b"), Version: "1.5.0", Line: 5},
		{ID: id("b"), Version: "2.0.0", Dev: true, Line: 5},
		{ID: id("real"), Version: "4.0.0", Direct: true, Line: 6, Note: "called n here"},
	}
	if diff := cmp.Diff(want, m.Requirements); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(m.Notes) != 1 {
		t.Errorf("notes %q", m.Notes)
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct {
		data string
		line int
		says string
	}{
		{"{\n \"dependencies\": {\n  oops\n", 3, "not valid JSON"},
		{"{\n \"dependencies\": \"a\"\n}", 2, "not valid JSON"},
		{`{"lockfileVersion": 9, "packages": {}}`, 0, "lockfileVersion 9"},
		{`{}`, 0, "is it a package-lock.json"},
		{`{"lockfileVersion":1,"dependencies":` + strings.Repeat(`{"a":{"version":"1.0.0","dependencies":`, 200) + "{}" + strings.Repeat("}}", 200) + "}", 0, "100 deep"},
	}
	for _, tt := range tests {
		_, err := npm.ReadLock("package-lock.json", []byte(tt.data))
		var fe *watch.FileError
		if !errors.As(err, &fe) || fe.Line != tt.line || !strings.Contains(fe.Reason, tt.says) {
			t.Errorf("%.40s: %v, want line %d with %q", tt.data, err, tt.line, tt.says)
		}
	}
	if _, err := npm.Read("package.json", make([]byte, 50<<20)); err == nil || !strings.Contains(err.Error(), "at most 4 MiB") {
		t.Errorf("50 MB: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(packageJSON))
	f.Fuzz(func(t *testing.T, b []byte) { npm.Read("package.json", b) })
}

func FuzzReadLock(f *testing.F) {
	f.Add([]byte(lock3))
	f.Add([]byte(`{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","requires":true}}}`))
	f.Fuzz(func(t *testing.T, b []byte) { npm.ReadLock("package-lock.json", b) })
}

func FuzzSettings(f *testing.F) {
	f.Add("registry=https://r.example/\n@s:registry=https://s.example\n//s.example/:_authToken=${TOKEN}\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if os.WriteFile(filepath.Join(dir, ".npmrc"), []byte(text), 0o600) == nil {
			npm.Settings([]string{"TOKEN=x"}, dir)
		}
	})
}

func registry(t *testing.T, base string) *npm.Registry {
	t.Helper()
	c, err := npm.Settings([]string{"NPM_CONFIG_REGISTRY=" + base, "HOME=" + t.TempDir()}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return npm.New(fetch.New(fetch.Options{}), c, archive.Limits{})
}

func serve(t *testing.T, p ...registrytest.Package) (*registrytest.Registry, string) {
	t.Helper()
	r := registrytest.New(p...)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.URL = s.URL
	return r, s.URL + registrytest.NPMPath
}

func TestNewer(t *testing.T) {
	l := &watch.Listing{Latest: "2.1.0"}
	for _, v := range []string{"1.0.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "2.1.0", "3.0.0-beta.1", "3.0.0"} {
		l.Releases = append(l.Releases, watch.Release{Version: v})
	}
	l.Releases[3].Withdrawn = "deprecated: broken"
	r := registry(t, "http://127.0.0.1:1")
	for current, want := range map[string]string{
		"1.0.0": "1.10.0 2.1.0", "2.1.0": "", "2.0.0-rc.1": "2.1.0", "3.0.0-alpha.1": "3.0.0-beta.1", "nonsense": "",
	} {
		var got []string
		for _, n := range r.Newer(l, current) {
			got = append(got, n.Version)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s is offered %q, want %q", current, s, want)
		}
	}
}

func TestListAndArchive(t *testing.T) {
	reg, base := serve(t, registrytest.Sample()...)
	r := registry(t, base)
	l, err := r.List(t.Context(), "@sample/paint")
	if err != nil {
		t.Fatal(err)
	}
	if l.Latest != "2.0.0" || len(l.Releases) != 3 || l.Releases[1].Version != "2.0.0-rc.1" {
		t.Errorf("%+v", l)
	}
	tree, err := r.Archive(t.Context(), "@sample/paint", "2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if tree.Verified != "sha512" || tree.Name != "paint-2.0.0.tgz" || tree.Files["bin/paint"].Kind != "ELF" {
		t.Errorf("%+v", tree)
	}
	want := watch.Facts{Licence: "BUSL-1.1", Dependencies: map[string]string{"is-odd": "^3.0.0"}, Scripts: map[string]string{"postinstall": "node setup.js"}}
	if diff := cmp.Diff(want, r.Facts(tree)); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if reg.Asked("/npm/@sample/paint") == 0 {
		t.Error("the registry was not asked for a scoped package by its name")
	}
	for name, problem := range map[string]watch.Problem{"no-such": watch.Missing, "../evil": watch.Missing, "a b": watch.Missing} {
		if _, err := r.List(t.Context(), name); watch.ProblemOf(err) != problem {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.Archive(t.Context(), "is-odd", "9.9.9"); watch.ProblemOf(err) != watch.Missing {
		t.Errorf("a version that is not there: %v", err)
	}
}

func TestTarballsComeFromTheRegistryOrOverTLS(t *testing.T) {
	for _, tt := range [][3]string{
		{"http://mirror.example/npm", "https://registry.npmjs.org/a/-/a-1.0.0.tgz", "http://mirror.example/npm/a/-/a-1.0.0.tgz"},
		{"http://mirror.example/npm", "http://mirror.example/npm/a.tgz", "http://mirror.example/npm/a.tgz"},
		{"https://r.example", "https://cdn.example/a.tgz", "https://cdn.example/a.tgz"},
		{"https://u:p@r.example", "https://r.example/a.tgz", "https://u:p@r.example/a.tgz"},
		{"https://u:p@r.example", "https://x:y@cdn.example/a.tgz", "https://cdn.example/a.tgz"},
		{"https://r.example", "http://169.254.169.254/latest", ""},
		{"https://r.example", "http://r.example/a.tgz", ""},
		{"https://r.example", "file:///etc/passwd", ""},
		{"https://r.example", "a.tgz", ""},
	} {
		got, err := npm.Tarball(tt[0], tt[1])
		if got != tt[2] || (err == nil) != (tt[2] != "") {
			t.Errorf("%s at %s: %q, %v; want %q", tt[1], tt[0], got, err, tt[2])
		}
	}
}

func TestSettings(t *testing.T) {
	home, project := t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		if err := os.WriteFile(filepath.Join(dir, ".npmrc"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(home, "registry=https://home.example/\n//private.example/npm/:_authToken=${TOKEN}\n; comment\n//basic.example/:username=u\n//basic.example/:_password=cHc=\n")
	write(project, "@corp:registry = https://private.example/npm/\nregistry=https://project.example\n")
	env := []string{"HOME=" + home, "TOKEN=hunter2"}
	c, err := npm.Settings(env, project)
	if err != nil {
		t.Fatal(err)
	}
	if c.Registry != "https://project.example" || c.Scopes["@corp"] != "https://private.example/npm" {
		t.Errorf("%+v", c)
	}
	for address, want := range map[string]string{
		"https://private.example/npm/@corp%2fa": "Bearer hunter2", "https://private.example/other": "",
		"https://private.example.evil/npm/a": "", "https://basic.example/x": "Basic dTpwdw==",
	} {
		if got := npm.Authorization(c, address); got != want {
			t.Errorf("%s is told %q, want %q", address, got, want)
		}
	}
	if c, err = npm.Settings(append(env, "npm_config_registry=http://127.0.0.1:4873/"), project); err != nil || c.Registry != "http://127.0.0.1:4873" {
		t.Errorf("environment: %+v, %v", c, err)
	}
	if _, err = npm.Settings(append(env, "npm_config_registry=ftp://u:hunter2@x"), project); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("not an address: %v", err)
	}
}
