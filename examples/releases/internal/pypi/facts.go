package pypi

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Facts reads a source's or wheel's core metadata, and pyproject.toml where
// that says nothing of dependencies. What setup.py computes cannot be known
// without running it, so it is not run but watched for changes.
func (r *Registry) Facts(t *archive.Tree) watch.Facts {
	f := watch.Facts{Scripts: map[string]string{}}
	deps := map[string]string{}
	meta := metadata(t)
	if meta == nil {
		f.Notes = append(f.Notes, "it has no PKG-INFO or METADATA")
	}
	for _, line := range headers(meta) {
		key, value := line[0], line[1]
		switch key {
		case "license-expression":
			f.Licence = watch.Clip(value, 200)
		case "license":
			if f.Licence == "" {
				f.Licence = watch.Clip(value, 200)
			}
		case "requires-dist":
			addDependency(deps, value)
		}
	}
	if len(deps) == 0 {
		eggRequires(t, deps)
	}
	project(t, &f, deps)
	for p, file := range t.Files {
		switch {
		case p == "setup.py":
			f.Scripts[p] = digest(file)
		case strings.HasSuffix(p, ".pth") && file.Link == "":
			// Python runs lines of a .pth at every start.
			f.Scripts[p] = digest(file)
		}
	}
	if f.Scripts["setup.py"] != "" && len(deps) == 0 {
		// It may have none, or setup.py names them.
		f.Notes = append(f.Notes, "its dependencies may be computed by setup.py, which is not run")
		return f
	}
	f.Dependencies = deps
	return f
}

func digest(f *archive.File) string {
	if f.Text != nil {
		sum := sha256.Sum256(f.Text)
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return "sha256:" + hex.EncodeToString(f.Sum[:])
}

// metadata finds PKG-INFO of a source or METADATA of a wheel.
func metadata(t *archive.Tree) []byte {
	if b := t.Text("PKG-INFO"); b != nil {
		return b
	}
	for p := range t.Files {
		if dir, file := path.Split(p); file == "METADATA" && strings.HasSuffix(dir, ".dist-info/") && strings.Count(p, "/") == 1 {
			return t.Text(p)
		}
	}
	return nil
}

// headers reads the fields of core metadata up to its description.
func headers(b []byte) [][2]string {
	var out [][2]string
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	for s.Scan() && len(out) < 5000 {
		line := s.Text()
		if line == "" {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		if k, v, ok := strings.Cut(line, ":"); ok {
			out = append(out, [2]string{strings.ToLower(k), strings.TrimSpace(v)})
		}
	}
	return out
}

// addDependency takes a PEP 508 text. An extra is not installed unless asked
// for, so those are left out.
func addDependency(deps map[string]string, text string) {
	spec, marker, _ := strings.Cut(text, ";")
	if strings.Contains(marker, "extra") {
		return
	}
	m := requirementForm.FindStringSubmatch(strings.TrimSpace(spec))
	if m == nil {
		return
	}
	rng := strings.Trim(strings.TrimSpace(m[3]), "()")
	if marker = strings.TrimSpace(marker); marker != "" {
		rng = strings.TrimSpace(rng + " where " + marker)
	}
	deps[Normalize(m[1])] = watch.Clip(rng, 200)
}

// eggRequires reads what setuptools wrote beside older metadata: requirements
// a line, then sections of extras ("[socks]") and of markers ("[:python_version…]").
func eggRequires(t *archive.Tree, deps map[string]string) {
	for p := range t.Files {
		if dir, file := path.Split(p); file != "requires.txt" || !strings.HasSuffix(dir, ".egg-info/") {
			continue
		}
		extra, marker := false, ""
		for line := range strings.Lines(string(t.Text(p))) {
			line = strings.TrimSpace(line)
			switch {
			case line == "":
			case line[0] == '[':
				name, condition, _ := strings.Cut(strings.Trim(line, "[]"), ":")
				extra, marker = name != "", condition
			case !extra && marker != "":
				addDependency(deps, line+"; "+marker)
			case !extra:
				addDependency(deps, line)
			}
		}
	}
}

// project reads pyproject.toml: the build's back end and what the build
// itself installs are scripts in effect.
func project(t *archive.Tree, f *watch.Facts, deps map[string]string) {
	data := t.Text("pyproject.toml")
	if data == nil {
		return
	}
	var p struct {
		Build struct {
			Backend  string   `toml:"build-backend"`
			Path     []string `toml:"backend-path"`
			Requires []string `toml:"requires"`
		} `toml:"build-system"`
		Project struct {
			Dependencies []string `toml:"dependencies"`
			License      any      `toml:"license"`
		} `toml:"project"`
	}
	if err := toml.Unmarshal(data, &p); err != nil {
		f.Notes = append(f.Notes, "its pyproject.toml cannot be read")
		return
	}
	if p.Build.Backend != "" {
		back := p.Build.Backend
		if len(p.Build.Path) > 0 {
			back += " from " + strings.Join(p.Build.Path, ", ")
		}
		f.Scripts["build-backend"] = watch.Clip(back, 200)
	}
	if len(deps) == 0 {
		for _, d := range p.Project.Dependencies {
			addDependency(deps, d)
		}
	}
	if text, ok := p.Project.License.(string); ok && f.Licence == "" {
		f.Licence = watch.Clip(text, 200)
	}
}
