package sqsserver

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// model is as much of a service model of botocore as is compared.
type model struct {
	Operations map[string]struct{ Input, Output *modelMember }
	Shapes     map[string]modelShape
}

type modelShape struct {
	Type               string
	Members            map[string]modelMember
	Member, Key, Value modelMember
	LocationName       string
}

type modelMember struct{ Shape, LocationName string }

// readModel reads the model of SQS that a venv's botocore has.
func readModel(t *testing.T, venv string) model {
	t.Helper()
	need.PythonOf(t, venv, "botocore")
	found, err := filepath.Glob(filepath.Join(need.Root(t), ".tools", venv, "lib/python3*/site-packages/botocore/data/sqs/2012-11-05/service-2.json*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the models are %q, %v; want one", found, err)
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(found[0], ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	var m model
	if err := json.NewDecoder(r).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// spell lists every value in a shape of the model: what it is called in JSON,
// in a form, and its type.
func (m model) spell(shape, name, tag string, into *[]string) {
	s := m.Shapes[shape]
	switch s.Type {
	case "structure":
		for n, of := range s.Members {
			m.spell(of.Shape, name+"."+n, tag+"."+m.tag(n, of), into)
		}
	case "list":
		m.spell(s.Member.Shape, name+"[]", tag+".n", into)
	case "map":
		*into = append(*into, name+"{} "+tag+".n."+s.Key.LocationName+" text")
		m.spell(s.Value.Shape, name+"{}", tag+".n."+s.Value.LocationName, into)
	default:
		is := map[string]string{"string": "text", "blob": "text", "integer": "integer", "long": "integer", "boolean": "boolean"}[s.Type]
		*into = append(*into, name+" "+tag+" "+is)
	}
}

// tag of a member: its own, or what is flattened has that of its entries.
func (m model) tag(name string, of modelMember) string {
	s := m.Shapes[of.Shape]
	for _, tag := range []string{of.LocationName, s.LocationName, s.Member.LocationName} {
		if tag != "" {
			return tag
		}
	}
	return name
}

// spell is the same of a shape of ours.
func (s *shape) spell(name, tag string, into *[]string) {
	switch s.is {
	case isStructure:
		for _, m := range s.members {
			m.shape.spell(name+"."+m.name, tag+"."+m.tag, into)
		}
	case isList:
		s.of.spell(name+"[]", tag+".n", into)
	case isMap:
		*into = append(*into, name+"{} "+tag+".n."+s.key+" text")
		s.of.spell(name+"{}", tag+".n."+s.value, into)
	default:
		*into = append(*into, name+" "+tag+" "+map[shapeKind]string{isText: "text", isInteger: "integer", isBoolean: "boolean"}[s.is])
	}
}

// spellings of all actions.
func spellings(names []string, spell func(action string, into *[]string)) (all []string) {
	for _, action := range names {
		spell(action, &all)
	}
	slices.Sort(all)
	return all
}

func (m model) spellings() []string {
	var names []string
	for action := range m.Operations {
		names = append(names, action)
	}
	return spellings(names, func(action string, into *[]string) {
		if in := m.Operations[action].Input; in != nil {
			m.spell(in.Shape, action, "in", into)
		}
		if out := m.Operations[action].Output; out != nil {
			*into = append(*into, action+" has a result")
			m.spell(out.Shape, action, "out", into)
		}
	})
}

func ourSpellings() []string {
	var names []string
	for action := range operations {
		names = append(names, action)
	}
	return spellings(names, func(action string, into *[]string) {
		operations[action].in.spell(action, "in", into)
		if out := operations[action].out; out != nil {
			*into = append(*into, action+" has a result")
			out.spell(action, "out", into)
		}
	})
}

// The tables say what the service's own model said when it had this protocol.
func TestShapesAreThoseOfTheModel(t *testing.T) {
	ours := slices.DeleteFunc(ourSpellings(), func(line string) bool {
		return strings.Contains(line, "MessageSystemAttributeNames") // younger than that model
	})
	if diff := cmp.Diff(readModel(t, "venv-query").spellings(), ours); diff != "" {
		t.Errorf("-model +ours\n%s", diff)
	}
}

// What today's model has of actions, arguments and results is there too, under
// the names of the JSON protocol.
func TestShapesAreUpToDate(t *testing.T) {
	inJSON := func(lines []string) []string {
		for i, line := range lines {
			name, rest, _ := strings.Cut(line, " ")
			direction, _, _ := strings.Cut(rest, ".")
			lines[i] = direction + " " + name
		}
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "has a result") })
		slices.Sort(lines)
		return slices.Compact(lines)
	}
	if diff := cmp.Diff(inJSON(readModel(t, "venv").spellings()), inJSON(ourSpellings())); diff != "" {
		t.Errorf("-model +ours\n%s", diff)
	}
}

func TestEveryActionHasAnOperation(t *testing.T) {
	for action := range actions {
		if operations[action].in == nil {
			t.Errorf("%s is not in operations", action)
		}
	}
}
