package refs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
)

// A jsonText is a string in a JSON text, and where it stands between its quotes.
type jsonText struct {
	key        bool // it is a key itself
	value      string
	start, end int
}

// maxLevels is how deep a JSON text is followed; a source map has three levels.
const maxLevels = 100

// jsonTexts calls each with every string and null of a JSON text, null as a nil
// text, and reports whether the text could be read.
func jsonTexts(data []byte, each func(path []string, t *jsonText)) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		list bool
		key  bool // a key is next
	}
	var (
		levels []level
		path   []string
	)
	done := func() { // a value has ended
		if n := len(levels); n > 0 && !levels[n-1].list {
			levels[n-1].key = true
			path = path[:n-1]
		}
	}
	for {
		token, err := d.Token()
		if err != nil || len(levels) > maxLevels {
			return errors.Is(err, io.EOF) && len(levels) == 0
		}
		end := int(d.InputOffset())
		n := len(levels)
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				levels = append(levels, level{key: true})
			case '[':
				levels = append(levels, level{list: true})
				path = append(path[:n:n], "*")
			default:
				levels = levels[:n-1]
				path = path[:min(len(path), n-1)]
				done()
			}
		case string:
			t := &jsonText{value: v, end: end - 1}
			t.start = quoted(data, end)
			if n > 0 && !levels[n-1].list && levels[n-1].key {
				t.key = true
				each(path[:n-1], t)
				path = append(path[:n-1:n-1], v)
				levels[n-1].key = false
				break
			}
			each(path, t)
			done()
		default:
			if v == nil {
				each(path, nil)
			}
			done()
		}
	}
}

// quoted is where the string begins that ends with the quote before an offset.
func quoted(data []byte, end int) int {
	for i := end - 2; i >= 0; i-- {
		if data[i] != '"' {
			continue
		}
		slashes := 0
		for i-slashes > 0 && data[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
	return -1
}

// SourceMap finds the sources that a source map names and does not contain. Those
// it contains are names for people, and the file it is for is not loaded from
// here (ECMA-426, section 9).
func SourceMap(data []byte) iter.Seq[Ref] {
	return scan(data, (*scanner).sourceMap)
}

func (s *scanner) sourceMap() {
	var (
		sources []jsonText
		missing = map[int]bool{} // by place in sourcesContent
		content int
		root    string
	)
	ok := jsonTexts(s.data, func(path []string, t *jsonText) {
		switch {
		case t != nil && t.key:
		case len(path) == 2 && path[0] == "sources" && path[1] == "*":
			if t == nil {
				t = &jsonText{start: -1} // not known, but it counts
			}
			sources = append(sources, *t)
		case len(path) == 2 && path[0] == "sourcesContent" && path[1] == "*":
			missing[content] = t == nil
			content++
		case len(path) == 1 && path[0] == "sourceRoot" && t != nil:
			root = t.value
		}
	})
	if !ok || root != "" {
		return // with a root, a source means something else
	}
	for i, t := range sources {
		if none, known := missing[i]; none || !known {
			s.json(place{}, Debug, t)
		}
	}
}

// importMap finds the addresses in an import map, and those of its keys that are
// addresses: modules that name them are rewritten as well. A key or an address
// that ends with a slash stands for a folder, and stays.
func (s *scanner) importMap(data []byte, p place) {
	jsonTexts(data, func(path []string, t *jsonText) {
		if t == nil || len(path) == 0 {
			return
		}
		switch {
		case path[0] == "imports" && (t.key && len(path) == 1 || !t.key && len(path) == 2),
			path[0] == "scopes" && (t.key && len(path) <= 2 || !t.key && len(path) == 3):
			if !strings.HasSuffix(t.value, "/") {
				s.json(p, Module, *t)
			}
		}
	})
}

func (s *scanner) json(p place, kind Kind, t jsonText) {
	if t.start < 0 {
		return
	}
	r := s.ref(p, kind, t.value, t.start, t.end)
	r.in = inJSON
	s.emit(r)
}
