// Package manifest chooses the reader for a file by its name.
package manifest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/gomod"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/npm"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/pypi"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Names is what can be read, for people.
const Names = "go.mod, package.json, package-lock.json or requirements.txt"

// Read reads a file by its base name; requirements files may be called
// requirements-dev.txt, dev-requirements.txt and so on.
func Read(name string, data []byte) (*watch.Manifest, error) {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	if len(base) > 100 {
		return nil, fmt.Errorf("the file's name is longer than 100 characters")
	}
	if err := watch.CheckSize(base, int64(len(data))); err != nil {
		return nil, err
	}
	switch {
	case base == "go.mod":
		return gomod.Read(base, data)
	case base == "package.json":
		return npm.Read(base, data)
	case base == "package-lock.json" || base == "npm-shrinkwrap.json":
		return npm.ReadLock("package-lock.json", data)
	case strings.Contains(base, "requirements") && strings.HasSuffix(base, ".txt"):
		return pypi.Read(base, data)
	}
	return nil, fmt.Errorf("%.100q is not one of the files that are read: %s", base, Names)
}

// ReadFile reads a file from this machine, at most watch.MaxFile bytes of it.
func ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	if err := watch.CheckSize(filepath.Base(name), fi.Size()); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, watch.MaxFile+1))
	if err != nil {
		return nil, err
	}
	return data, watch.CheckSize(filepath.Base(name), int64(len(data)))
}

// Project names the project of a file: as asked, else as the file says itself,
// else after the folder in its name.
func Project(asked, name string, m *watch.Manifest) string {
	for _, s := range []string{asked, m.Project, path.Base(path.Dir(strings.ReplaceAll(name, `\`, "/")))} {
		s = strings.TrimSpace(watch.Clip(s, 200))
		if s != "" && s != "." && s != "/" && s != ".." {
			return s
		}
	}
	return strings.TrimSuffix(m.File, path.Ext(m.File))
}

// ErrNoGoMod: there is none in a folder or above it.
var ErrNoGoMod = errors.New("no go.mod here or in a folder above")

// FindGoMod looks for the nearest go.mod from a folder upward.
func FindGoMod(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		p := filepath.Join(dir, "go.mod")
		if fi, err := os.Stat(p); err == nil && fi.Mode().IsRegular() {
			return p, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", ErrNoGoMod
		}
		dir = up
	}
}
