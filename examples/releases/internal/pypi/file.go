package pypi

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

var (
	// PEP 508: a name, extras in brackets, then what versions will do.
	requirementForm = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*(.*)$`)
	clauseForm      = regexp.MustCompile(`^(===|==|~=|!=|<=|>=|<|>)\s*(.+)$`)
	separators      = regexp.MustCompile(`[-_.]+`)
)

// Normalize writes a name as indexes do (PEP 503).
func Normalize(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// Read reads a requirements file: pins, ranges, extras, markers, hashes,
// comments and continued lines. Other files it names (-r, -c) are not followed
// and noted, as are folders and addresses.
func Read(file string, data []byte) (*watch.Manifest, error) {
	if err := watch.CheckSize(file, int64(len(data))); err != nil {
		return nil, err
	}
	m := &watch.Manifest{File: file}
	text := strings.TrimPrefix(string(data), "\ufeff")
	seen := map[watch.ID]bool{}
	for _, l := range logicalLines(text) {
		r, note, err := readLine(l.text)
		if err != nil {
			return nil, &watch.FileError{File: file, Line: l.number, Reason: watch.Clip(err.Error(), 300)}
		}
		if note != "" {
			if len(m.Notes) < 50 {
				m.Notes = append(m.Notes, fmt.Sprintf("line %d: %s", l.number, note))
			}
			continue
		}
		if r == nil || seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		r.Line, r.Direct = l.number, true
		m.Requirements = append(m.Requirements, *r)
	}
	return m, m.Check()
}

type logicalLine struct {
	number int
	text   string
}

// logicalLines joins lines that end in a backslash and takes comments away, as pip does.
func logicalLines(text string) []logicalLine {
	var out []logicalLine
	var open *logicalLine
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "#") {
			line = ""
		} else if i := strings.Index(line, " #"); i >= 0 {
			line = line[:i]
		} else if i := strings.Index(line, "\t#"); i >= 0 {
			line = line[:i]
		}
		rest, continued := strings.CutSuffix(line, `\`)
		if open == nil {
			open = &logicalLine{number: number}
		}
		open.text += rest + " "
		if !continued {
			out, open = append(out, *open), nil
		}
	}
	if open != nil {
		out = append(out, *open)
	}
	return out
}

// readLine returns a requirement, or a note, or neither for an empty line.
func readLine(line string) (*watch.Requirement, string, error) {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
		return nil, "", nil
	case strings.HasPrefix(line, "-"):
		return nil, optionNote(line), nil
	case strings.Contains(strings.Fields(line)[0], "://"), strings.HasPrefix(line, "."), strings.HasPrefix(line, "/"),
		strings.HasPrefix(line, "git+"):
		return nil, "a folder or an address, not a package of an index: not watched", nil
	}
	// Options of one requirement (--hash=…) and its marker (; python_version < "3").
	if i := strings.Index(line, " --"); i >= 0 {
		line = strings.TrimSpace(line[:i])
	}
	line, marker, _ := strings.Cut(line, ";")
	parts := requirementForm.FindStringSubmatch(strings.TrimSpace(line))
	if parts == nil {
		return nil, "", fmt.Errorf("%.80q is not a requirement", line)
	}
	r := &watch.Requirement{ID: watch.ID{Ecosystem: watch.PyPI, Name: Normalize(parts[1])}}
	if strings.HasPrefix(parts[3], "@") {
		return nil, r.Name + " comes from an address, not from an index: not watched", nil
	}
	if marker = strings.TrimSpace(marker); marker != "" {
		r.Note = "only where " + marker
	}
	return r, "", specify(r, strings.Trim(strings.TrimSpace(parts[3]), "()"))
}

func optionNote(line string) string {
	option, _, _ := strings.Cut(strings.Fields(line)[0], "=")
	switch option {
	case "-r", "--requirement", "-c", "--constraint":
		return option + " names another file, which is not followed: import it too"
	case "-e", "--editable":
		return "-e names a folder or an address: not watched"
	case "-i", "--index-url", "--extra-index-url":
		return option + " is not followed: the index of pip's own configuration is asked"
	}
	return watch.Clip(option, 40) + " is not followed"
}

// specify finds the version in use among the clauses: the pin, or the lowest
// allowed one.
func specify(r *watch.Requirement, spec string) error {
	spec = strings.TrimSpace(spec)
	if spec == "" {
		r.Note = joined(r.Note, "any version: pin it to have it compared")
		return nil
	}
	exact := false
	for clause := range strings.SplitSeq(spec, ",") {
		clause = strings.TrimSpace(clause)
		if clause == "" {
			continue
		}
		c := clauseForm.FindStringSubmatch(clause)
		if c == nil {
			return fmt.Errorf("%s: %.80q says nothing about a version", r.Name, clause)
		}
		operator, version := c[1], strings.TrimSpace(c[2])
		pinned := operator == "===" || (operator == "==" && !strings.HasSuffix(version, ".*"))
		version = strings.TrimSuffix(version, ".*")
		if _, ok := ParseVersion(version); !ok && operator != "===" {
			return fmt.Errorf("%s: %.80q is not a version of PEP 440", r.Name, version)
		}
		switch {
		case pinned:
			r.Version, exact = version, true
		case !exact && (operator == "==" || operator == "~=" || operator == ">=" || operator == ">"):
			r.Version = version
		}
	}
	if !exact {
		r.Range = spec
		if r.Version == "" {
			r.Note = joined(r.Note, "its range names no lowest version: pin it to have it compared")
		} else {
			r.Note = joined(r.Note, "the lowest version its range allows")
		}
	}
	return nil
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
