// Package gomod speaks of Go modules: it reads go.mod, asks module proxies,
// orders versions as the go command does, and reads the exported API of a
// module's source without building it.
package gomod

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Read reads a go.mod. A module that is replaced by another version or module
// is watched as what replaces it, since that is what is built.
func Read(file string, data []byte) (*watch.Manifest, error) {
	if err := watch.CheckSize(file, int64(len(data))); err != nil {
		return nil, err
	}
	f, err := modfile.Parse(file, data, nil)
	if err != nil {
		return nil, fileError(file, err)
	}
	m := &watch.Manifest{File: file}
	if f.Module != nil {
		m.Project = f.Module.Mod.Path
	}
	for _, r := range f.Require {
		m.Requirements = append(m.Requirements, requirement(f, r))
	}
	if len(f.Exclude) > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("%d exclude lines are not followed: an excluded version may be offered", len(f.Exclude)))
	}
	return m, m.Check()
}

func requirement(f *modfile.File, r *modfile.Require) watch.Requirement {
	q := watch.Requirement{
		ID:      watch.ID{Ecosystem: watch.Go, Name: r.Mod.Path},
		Version: r.Mod.Version,
		Direct:  !r.Indirect,
	}
	if r.Syntax != nil {
		q.Line = r.Syntax.Start.Line
	}
	for _, rep := range f.Replace {
		if rep.Old.Path != r.Mod.Path || (rep.Old.Version != "" && rep.Old.Version != r.Mod.Version) {
			continue
		}
		if rep.New.Version == "" {
			q.Version, q.Range, q.Elsewhere = "", r.Mod.Version, true
			q.Note = "replaced by the folder " + rep.New.Path + ": what is in it is not compared"
			continue
		}
		q.Name, q.Version = rep.New.Path, rep.New.Version
		q.Note = "replaces " + r.Mod.String()
	}
	return q
}

// fileError takes the first error of the parser, with its line.
func fileError(file string, err error) error {
	var list modfile.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		e := list[0]
		reason := e.Err.Error()
		if e.Verb != "" {
			reason = strings.TrimSpace(e.Verb+" "+e.ModPath) + ": " + reason
		}
		return &watch.FileError{File: file, Line: e.Pos.Line, Reason: watch.Clip(reason, 300)}
	}
	return &watch.FileError{File: file, Reason: watch.Clip(err.Error(), 300)}
}

// facts of dependencies as a module's own go.mod names them.
func dependencies(data []byte) (map[string]string, string) {
	f, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return nil, "its go.mod cannot be read"
	}
	deps := make(map[string]string, len(f.Require))
	for _, r := range f.Require {
		deps[r.Mod.Path] = r.Mod.Version
	}
	return deps, ""
}

// retractions of a module, from the go.mod of its highest version.
func retractions(data []byte) []*modfile.Retract {
	f, err := modfile.ParseLax("go.mod", data, nil)
	if err != nil {
		return nil
	}
	return f.Retract
}

// successors returns the names the next major versions of a module have.
func successors(path string, count int) []string {
	prefix, major, ok := module.SplitPathVersion(path)
	if !ok {
		return nil
	}
	n := 1
	fmt.Sscanf(strings.TrimLeft(major, "/.v"), "%d", &n) //nolint:errcheck // no number: it stays 1
	sep := "/v"
	if strings.HasPrefix(path, "gopkg.in/") {
		sep = ".v"
	}
	var names []string
	for i := 1; i <= count; i++ {
		names = append(names, fmt.Sprintf("%s%s%d", prefix, sep, n+i))
	}
	return names
}
