package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// maxSize of a manifest in bytes.
const maxSize = 1 << 20

// ErrNotFound: there is no manifest at the path.
var ErrNotFound = errors.New("no " + FileName)

// Read reads and validates the manifest of a folder, or the file itself.
// Wrong content is reported as Errors.
func Read(path string) (*Manifest, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if fi, err := os.Stat(path); err == nil && fi.IsDir() {
		path = filepath.Join(path, FileName)
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w at %s: give the application's folder, as in `dayfly up DIR`", ErrNotFound, path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(text) > maxSize {
		return nil, &Error{File: path, Text: "a manifest has at most 1 MiB; is this the right file?"}
	}
	return Parse(path, text)
}

// Parse reads a manifest from its text; path is used for errors and for Dir.
func Parse(path string, text []byte) (*Manifest, error) {
	m := &Manifest{Path: path, Dir: filepath.Dir(path)}
	errs := decode(path, text, m)
	if len(errs) == 0 {
		var unitless []string
		m.at, unitless = positions(text)
		m.setDefaults()
		errs = m.validate(unitless)
	}
	if len(errs) > 0 {
		lines := strings.Split(string(text), "\n")
		for _, e := range errs {
			if e.Line > 0 && e.Line <= len(lines) {
				e.Source = strings.TrimRight(lines[e.Line-1], "\r")
			}
		}
		slices.SortStableFunc(errs, func(a, b *Error) int { return a.Line - b.Line })
		return nil, errs
	}
	return m, nil
}

func decode(path string, text []byte, m *Manifest) Errors {
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(m)
	if err == nil {
		return nil
	}
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) {
		var errs Errors
		for i := range missing.Errors {
			line, column := missing.Errors[i].Position()
			key := missing.Errors[i].Key()
			errs = append(errs, &Error{File: path, Line: line, Column: column,
				Key: strings.Join(key, "."), Text: unknownKey(key)})
		}
		return errs
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, column := wrong.Position()
		return Errors{{File: path, Line: line, Column: column,
			Key: strings.Join(wrong.Key(), "."), Text: plainTOMLError(wrong)}}
	}
	return Errors{{File: path, Text: err.Error()}}
}

// plainTOMLError says in the manifest's words what the decoder says in Go's.
func plainTOMLError(e *toml.DecodeError) string {
	text := strings.TrimPrefix(e.Error(), "toml: ")
	if len(e.Key()) > 0 && strings.Contains(text, "cannot decode") {
		if want := fieldType(reflect.TypeFor[Manifest](), e.Key()); want != "" {
			return fmt.Sprintf("%s must be %s%s", strings.Join(e.Key(), "."), want, nameless(e.Key()))
		}
	}
	return text
}

// nameless tells who wrote [cache] and means [cache.default].
func nameless(key []string) string {
	if len(key) != 2 {
		return ""
	}
	if t := typeAt(reflect.TypeFor[Manifest](), key[:1]); t == nil || t.Kind() != reflect.Map {
		return ""
	}
	return fmt.Sprintf("; to set a key, name the table, as in [%s.default]", key[0])
}

func unknownKey(key []string) string {
	for len(key) > 1 && typeAt(reflect.TypeFor[Manifest](), key[:len(key)-1]) == nil {
		key = key[:len(key)-1]
	}
	name := key[len(key)-1]
	place := "at the top of a manifest"
	if len(key) > 1 {
		place = "in [" + strings.Join(key[:len(key)-1], ".") + "]"
	}
	known := fieldNames(reflect.TypeFor[Manifest](), key[:len(key)-1])
	text := fmt.Sprintf("unknown key %q %s", name, place)
	if n := nearest(name, known); n != "" {
		return text + fmt.Sprintf("; did you mean %q?", n)
	}
	if len(known) > 0 {
		return text + "; known are " + strings.Join(known, ", ")
	}
	return text
}

// typeAt walks the manifest's type along a dotted key and returns the type there.
func typeAt(t reflect.Type, key []string) reflect.Type {
	for _, k := range key {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch t.Kind() {
		case reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			f, ok := t.FieldByNameFunc(func(n string) bool {
				f, _ := t.FieldByName(n)
				return f.Tag.Get("toml") == k
			})
			if !ok {
				return nil
			}
			t = f.Type
		default:
			return nil
		}
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func fieldNames(t reflect.Type, key []string) []string {
	t = typeAt(t, key)
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) { // also those of embedded structs
		if n := f.Tag.Get("toml"); n != "" && n != "-" {
			names = append(names, n)
		}
	}
	return names
}

// fieldType describes what a key must hold, for people.
func fieldType(t reflect.Type, key []string) string {
	t = typeAt(t, key)
	if t == nil {
		return ""
	}
	switch t {
	case reflect.TypeFor[Duration]():
		return `a duration in quotes with a unit, such as "30s" or "2m"`
	case reflect.TypeFor[Size]():
		return `a size in quotes with a unit, such as "64MiB"`
	case reflect.TypeFor[Rate]():
		return `a rate in quotes, such as "10/s" or "100/m"`
	case reflect.TypeFor[Instances]():
		return "a table, such as { min = 2, max = 4 }"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.String:
		return "text in quotes"
	case reflect.Slice:
		return "a list of texts in [ ]"
	case reflect.Struct, reflect.Map:
		return "a table"
	}
	return ""
}

type position struct{ line, column int }

// survey walks the syntax tree and notes what the decoder does not tell.
type survey struct {
	parser   unstable.Parser
	at       map[string]position
	unitless []string // keys of durations and sizes written as bare numbers
}

// positions finds where every dotted key is written, and which durations and
// sizes lack quotes and unit (the decoder takes a number for them). The text
// has been decoded before, so it is known to parse.
func positions(text []byte) (at map[string]position, unitless []string) {
	s := &survey{at: map[string]position{}}
	s.parser.Reset(text)
	var table []string
	for s.parser.NextExpression() {
		switch e := s.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = s.note(nil, e.Key())
		case unstable.KeyValue:
			s.keyValue(table, e)
		}
	}
	return s.at, s.unitless
}

func (s *survey) keyValue(table []string, e *unstable.Node) {
	key := s.note(table, e.Key())
	switch v := e.Value(); v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			s.keyValue(key, it.Node())
		}
	case unstable.Integer, unstable.Float:
		switch typeAt(reflect.TypeFor[Manifest](), key) {
		case reflect.TypeFor[Duration](), reflect.TypeFor[Size]():
			s.unitless = append(s.unitless, strings.Join(key, "."))
		}
	}
}

// note records the position of a key and of the tables on its way.
func (s *survey) note(table []string, parts unstable.Iterator) []string {
	key := slices.Clone(table)
	for parts.Next() {
		n := parts.Node()
		key = append(key, string(n.Data))
		dotted := strings.Join(key, ".")
		if _, seen := s.at[dotted]; !seen {
			start := s.parser.Shape(n.Raw).Start
			s.at[dotted] = position{start.Line, start.Column}
		}
	}
	return key
}
