package pypi_test

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
	"github.com/dayfly-dev/dayfly/examples/releases/internal/pypi"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/registrytest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// ordered by PEP 440, its own examples among them.
var ordered = []string{
	"1.dev0", "1.0.dev456", "1.0a1", "1.0a2.dev456", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2", "1.0b2.post345.dev456",
	"1.0b2.post345", "1.0rc1.dev456", "1.0rc1", "1.0", "1.0+abc.5", "1.0+abc.7", "1.0+5", "1.0.post456.dev34", "1.0.post456",
	"1.0.15", "1.1.dev1", "1.9", "1.10", "2!0.1", "10!0",
}

func TestOrderOfVersions(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			va, ok1 := pypi.ParseVersion(a)
			vb, ok2 := pypi.ParseVersion(b)
			if !ok1 || !ok2 {
				t.Fatalf("%s or %s is not read", a, b)
			}
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := va.Compare(vb); got != want {
				t.Errorf("%s against %s: %d, want %d", a, b, got, want)
			}
		}
	}
	for _, equal := range [][2]string{
		{"1.0", "1"}, {"1.0.0", "v1"}, {"1.0-alpha.1", "1.0a1"}, {"1.0RC1", "1.0c1"}, {"1.0-1", "1.0.post1"}, {"1.0r4", "1.0.post4"},
		{"1.0.dev", "1.0.dev0"}, {"1.0+ubuntu-1", "1.0+ubuntu.1"}, {"01.02", "1.2"}, {"1.0preview2", "1.0rc2"},
	} {
		a, _ := pypi.ParseVersion(equal[0])
		b, _ := pypi.ParseVersion(equal[1])
		if a.Compare(b) != 0 {
			t.Errorf("%s and %s are not the same", equal[0], equal[1])
		}
	}
	for _, bad := range []string{"", "x", "1.0-", "1..0", "1.0+", "french toast", "1.0a1a2", strings.Repeat("1", 300)} {
		if _, ok := pypi.ParseVersion(bad); ok {
			t.Errorf("%q was taken for a version", bad)
		}
	}
}

func FuzzVersion(f *testing.F) {
	for i := range ordered {
		f.Add(ordered[i], ordered[len(ordered)-1-i])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		va, ok1 := pypi.ParseVersion(a)
		vb, ok2 := pypi.ParseVersion(b)
		if ok1 && va.Compare(va) != 0 {
			t.Errorf("%q is not equal to itself", a)
		}
		if ok1 && ok2 && va.Compare(vb) != -vb.Compare(va) {
			t.Errorf("%q and %q: order depends on who asks", a, b)
		}
	})
}

const requirements = "\ufeff# what we need\n" +
	"Django==4.2.1  # the framework\n" +
	"requests[socks] >= 2.28, < 3 ; python_version > '3.7'\n" +
	"typing_extensions~=4.5\n" +
	"flask\n" +
	"idna == 3.10 \\\n    --hash=sha256:aaaa \\\n    --hash=sha256:bbbb\n" +
	"-r other.txt\n--index-url https://user:hunter2@example.com/simple\n" +
	"./folder\ngit+https://example.com/x.git#egg=x\npkg @ https://example.com/pkg.zip\n" +
	"old<2\nexact===2004d\nwild==1.4.*\n"

func pid(name string) watch.ID { return watch.ID{Ecosystem: watch.PyPI, Name: name} }

func TestRead(t *testing.T) {
	m, err := pypi.Read("requirements.txt", []byte(requirements))
	if err != nil {
		t.Fatal(err)
	}
	low := "the lowest version its range allows"
	want := &watch.Manifest{File: "requirements.txt",
		Requirements: []watch.Requirement{
			{ID: pid("django"), Version: "4.2.1", Direct: true, Line: 2},
			{ID: pid("requests"), Version: "2.28", Range: ">= 2.28, < 3", Direct: true, Line: 3, Note: "only where python_version > '3.7'; " + low},
			{ID: pid("typing-extensions"), Version: "4.5", Range: "~=4.5", Direct: true, Line: 4, Note: low},
			{ID: pid("flask"), Direct: true, Line: 5, Note: "any version: pin it to have it compared"},
			{ID: pid("idna"), Version: "3.10", Direct: true, Line: 6},
			{ID: pid("old"), Range: "<2", Direct: true, Line: 14, Note: "its range names no lowest version: pin it to have it compared"},
			{ID: pid("exact"), Version: "2004d", Direct: true, Line: 15},
			{ID: pid("wild"), Version: "1.4", Range: "==1.4.*", Direct: true, Line: 16, Note: low},
		},
		Notes: []string{
			"line 9: -r names another file, which is not followed: import it too",
			"line 10: --index-url is not followed: the index of pip's own configuration is asked",
			"line 11: a folder or an address, not a package of an index: not watched",
			"line 12: a folder or an address, not a package of an index: not watched",
			"line 13: pkg comes from an address, not from an index: not watched",
		}}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var fe *watch.FileError
	for text, says := range map[string]string{"a==1\n\n!!\n": "not a requirement", "\n\nb==banana\n": "PEP 440", "x\ny\nb 1.0\n": "nothing about a version"} {
		if _, err := pypi.Read("requirements.txt", []byte(text)); !errors.As(err, &fe) || fe.Line != 3 || !strings.Contains(fe.Reason, says) {
			t.Errorf("%q: %v, want line 3 with %q", text, err, says)
		}
	}
	if _, err := pypi.Read("requirements.txt", make([]byte, 50<<20)); err == nil || !strings.Contains(err.Error(), "at most 4 MiB") {
		t.Errorf("50 MB: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(requirements))
	f.Fuzz(func(t *testing.T, b []byte) { pypi.Read("requirements.txt", b) })
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`<a href="../x-1.0.tar.gz#sha256=00" data-yanked="">x-1.0.tar.gz</a>`))
	f.Add([]byte(`{"files":[{"filename":"x-1.0.tar.gz","url":"u","hashes":{"sha256":"00"},"yanked":"why"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) { pypi.ParseIndexes(b) })
}

func serve(t *testing.T, htmlOnly bool, p ...registrytest.Package) *pypi.Registry {
	t.Helper()
	r := registrytest.New(p...)
	r.HTMLOnly = htmlOnly
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	reg, err := pypi.New(fetch.New(fetch.Options{}), []string{s.URL + "/pypi/empty", s.URL + registrytest.PyPIPath}, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func TestBothFormsOfAnIndex(t *testing.T) {
	for _, htmlOnly := range []bool{false, true} {
		r := serve(t, htmlOnly, registrytest.Sample()...)
		l, err := r.List(t.Context(), "idna")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, rel := range l.Releases {
			got = append(got, rel.Version+rel.Withdrawn)
		}
		if diff := cmp.Diff([]string{"3.9", "3.10", "3.11yanked: wrong tables", "4.0b1"}, got); diff != "" {
			t.Errorf("HTML %v (-want +got):\n%s", htmlOnly, diff)
		}
		if l.Latest != "3.10" || l.Releases[0].Published.IsZero() == !htmlOnly {
			t.Errorf("HTML %v: latest %s, published %s", htmlOnly, l.Latest, l.Releases[0].Published)
		}
		for current, want := range map[string]string{"3.9": "3.10", "3.10": "", "4.0a1": "4.0b1", "3.9+local": "3.10", "2004d": ""} {
			newest := ""
			for _, n := range r.Newer(l, current) {
				newest = n.Version
			}
			if newest != want {
				t.Errorf("%s is offered %q, want %q", current, newest, want)
			}
		}
		tree, err := r.Archive(t.Context(), "idna", "3.10")
		if err != nil || tree.Verified != "sha256" || tree.Text("idna/__init__.py") == nil {
			t.Errorf("archive %+v, %v", tree, err)
		}
		if _, err := r.List(t.Context(), "no-such"); watch.ProblemOf(err) != watch.Missing {
			t.Errorf("missing package: %v", err)
		}
	}
}

func TestFacts(t *testing.T) {
	wheel := registrytest.Package{ID: pid("my-lib"), Versions: []registrytest.Version{{Version: "1.0", Wheel: true, Files: map[string]string{
		"my_lib/__init__.py":            "",
		"my_lib-1.0.dist-info/METADATA": "Name: my-lib\nLicense-Expression: MIT\nRequires-Dist: Idna (>=2)\nRequires-Dist: extra-thing; extra == 'x'\nRequires-Dist: win; os_name == 'nt'\n\nText: no\n",
		"evil.pth":                      "import os\n",
	}}}}
	source := registrytest.Package{ID: pid("src"), Versions: []registrytest.Version{{Version: "1.0", Files: map[string]string{
		"PKG-INFO": "Name: src\nVersion: 1.0\n\n", "setup.py": "setup()\n",
		"pyproject.toml": "[build-system]\nbuild-backend = \"back\"\nbackend-path = [\".\"]\n[project]\nlicense = \"MIT\"\ndependencies = [\"idna>3\"]\n",
	}}}}
	egg := registrytest.Package{ID: pid("egg"), Versions: []registrytest.Version{{Version: "1.0", Files: map[string]string{
		"PKG-INFO": "Name: egg\n\n", "setup.py": "setup()\n",
		"egg.egg-info/requires.txt": "idna<4,>=2.5\n\n[:python_version<'3']\nold\n\n[socks]\npysocks\n",
	}}}}
	bare := registrytest.Package{ID: pid("bare"), Versions: []registrytest.Version{{Version: "1.0", Files: map[string]string{"PKG-INFO": "Name: bare\n\n", "setup.py": "setup()\n"}}}}
	r := serve(t, false, wheel, source, egg, bare)
	facts := func(name string) watch.Facts {
		t.Helper()
		tree, err := r.Archive(t.Context(), name, "1.0")
		if err != nil {
			t.Fatal(err)
		}
		f := r.Facts(tree)
		for k := range f.Scripts {
			if strings.HasPrefix(f.Scripts[k], "sha256:") {
				f.Scripts[k] = "sum"
			}
		}
		return f
	}
	want := watch.Facts{Licence: "MIT", Dependencies: map[string]string{"idna": ">=2", "win": "where os_name == 'nt'"}, Scripts: map[string]string{"evil.pth": "sum"}}
	if diff := cmp.Diff(want, facts("my-lib")); diff != "" {
		t.Errorf("wheel (-want +got):\n%s", diff)
	}
	want = watch.Facts{Licence: "MIT", Dependencies: map[string]string{"idna": ">3"}, Scripts: map[string]string{"setup.py": "sum", "build-backend": "back from ."}}
	if diff := cmp.Diff(want, facts("src")); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	want = watch.Facts{Dependencies: map[string]string{"idna": "<4,>=2.5", "old": "where python_version<'3'"}, Scripts: map[string]string{"setup.py": "sum"}}
	if diff := cmp.Diff(want, facts("egg")); diff != "" {
		t.Errorf("egg (-want +got):\n%s", diff)
	}
	if f := facts("bare"); f.Dependencies != nil || len(f.Notes) != 1 {
		t.Errorf("what setup.py may compute is not known: %+v", f)
	}
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "pip.conf")
	if err := os.WriteFile(file, []byte("[global]\nindex-url = https://main.example/simple/\nextra_index_url =\n    https://one.example\n    https://two.example/\n[list]\nindex-url = no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"PIP_CONFIG_FILE": file}
	get := func(k string) string { return env[k] }
	got, err := pypi.Settings(get)
	if diff := cmp.Diff([]string{"https://main.example/simple", "https://one.example", "https://two.example"}, got); diff != "" || err != nil {
		t.Errorf("file: %v (-want +got):\n%s", err, diff)
	}
	env["PIP_INDEX_URL"], env["PIP_EXTRA_INDEX_URL"] = "http://127.0.0.1:3141/simple/", "https://x.example"
	got, err = pypi.Settings(get)
	if diff := cmp.Diff([]string{"http://127.0.0.1:3141/simple", "https://x.example"}, got); diff != "" || err != nil {
		t.Errorf("environment: %v (-want +got):\n%s", err, diff)
	}
	env["PIP_INDEX_URL"] = "ftp://u:hunter2@x"
	if _, err = pypi.Settings(get); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("not an address: %v", err)
	}
	clear(env)
	env["PIP_CONFIG_FILE"] = os.DevNull
	if got, _ = pypi.Settings(get); got[0] != "https://pypi.org/simple" {
		t.Errorf("default: %v", got)
	}
}

func TestFileVersions(t *testing.T) {
	for _, tt := range []struct {
		pkg, file, version string
		source, ok         bool
	}{
		{"idna", "idna-3.10.tar.gz", "3.10", true, true},
		{"ruamel-yaml", "ruamel.yaml-0.18.6.tar.gz", "0.18.6", true, true},
		{"my-lib", "my-lib-1.0-2.tar.gz", "1.0-2", true, true},
		{"my-lib", "my_lib-1.0-py3-none-any.whl", "1.0", false, true},
		{"my-lib", "other-1.0.tar.gz", "", false, false},
		{"my-lib", "my_lib-1.0.exe", "", false, false},
	} {
		v, source, ok := pypi.FileVersion(tt.pkg, tt.file)
		if v != tt.version || source != tt.source || ok != tt.ok {
			t.Errorf("%s: %q %v %v", tt.file, v, source, ok)
		}
	}
}
