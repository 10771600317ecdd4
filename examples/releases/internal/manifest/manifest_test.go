package manifest_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/manifest"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

func TestReaderByName(t *testing.T) {
	for name, content := range map[string]string{
		"go.mod": "module m\n", "x/package.json": "{}", "package-lock.json": `{"packages":{}}`, "npm-shrinkwrap.json": `{"packages":{}}`,
		"requirements.txt": "a==1\n", `C:\x\dev-requirements.txt`: "a==1\n", "requirements-dev.txt": "",
	} {
		if _, err := manifest.Read(name, []byte(content)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := manifest.Read("Gemfile", nil)
	if err == nil || !strings.Contains(err.Error(), manifest.Names) {
		t.Errorf("Gemfile: %v", err)
	}
}

func TestReadFileIsBounded(t *testing.T) {
	big := filepath.Join(t.TempDir(), "go.mod")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, 50<<20); err != nil {
		t.Fatal(err)
	}
	_, err := manifest.ReadFile(big)
	var fe *watch.FileError
	if !errors.As(err, &fe) || !strings.Contains(err.Error(), "go.mod: the file has 50.0 MiB and at most 4 MiB are read") {
		t.Errorf("50 MiB: %v", err)
	}
	if _, err := manifest.ReadFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestProject(t *testing.T) {
	m := &watch.Manifest{File: "requirements.txt"}
	for _, tt := range [][3]string{{"asked", "x/requirements.txt", "asked"}, {"", "shop/requirements.txt", "shop"}, {"", "requirements.txt", "requirements"}} {
		if got := manifest.Project(tt[0], tt[1], m); got != tt[2] {
			t.Errorf("Project(%q, %q) = %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
	m.Project = "own"
	if got := manifest.Project("", "shop/package.json", m); got != "own" {
		t.Errorf("the file's own name: %q", got)
	}
}

func TestFindGoMod(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "a", "go.mod")
	if err := os.WriteFile(want, []byte("module m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := manifest.FindGoMod(deep); got != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, n := range []string{"go.mod", "package.json", "package-lock.json", "requirements.txt"} {
		f.Add(n, []byte("x"))
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		m, err := manifest.Read(name, b)
		if err == nil && manifest.Project("", name, m) == "" {
			t.Errorf("%q: a project without a name", name)
		}
	})
}
