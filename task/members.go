package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// members of a JSON object, by exact name, as they come. encoding/json into a
// struct would also take "TYPE" for "type", and the last of two; its Decoder,
// token by token, costs four times what this does. There are few, so that
// looking through them is cheaper than a map.
type members []member

type member struct {
	name string
	raw  json.RawMessage
	text string // the same bytes
	at   int    // where they begin
}

// get returns the value of a name, nil if there is none.
func (m members) get(name string) json.RawMessage {
	if i := m.find(name); i >= 0 {
		return m[i].raw
	}
	return nil
}

func (m members) find(name string) int {
	for i := range m {
		if m[i].name == name {
			return i
		}
	}
	return -1
}

func readMembers(body string) (members, error) {
	raw := []byte(body)
	if !json.Valid(raw) {
		var v json.RawMessage
		return nil, &FormatError{fmt.Sprintf("JSON: %v", json.Unmarshal(raw, &v))}
	}
	// It is valid: from here on only the places of things are looked for.
	i := skipSpace(raw, 0)
	if raw[i] != '{' {
		return nil, &FormatError{"it is not a JSON object"}
	}
	m := make(members, 0, 8)
	for i = skipSpace(raw, i+1); raw[i] != '}'; {
		end := valueEnd(raw, i)
		name, err := unquote(body[i:end])
		if err != nil {
			return nil, err
		}
		if m.find(name) >= 0 {
			return nil, &FormatError{fmt.Sprintf("%.40q comes twice", name)}
		}
		if len(m) == maxMembers || len(name) > maxExtension {
			return nil, &FormatError{"it has more or longer attributes than any task has"}
		}
		i = skipSpace(raw, end) + 1 // the colon
		i = skipSpace(raw, i)
		end = valueEnd(raw, i)
		m = append(m, member{name, raw[i:end:end], body[i:end], i})
		if i = skipSpace(raw, end); raw[i] == ',' {
			i = skipSpace(raw, i+1)
		}
	}
	return m, nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns where the valid JSON value that starts at i ends.
func valueEnd(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth == 0 { // a number, true, false, null
				return i + bytes.IndexAny(b[i:], ",]} \t\n\r")
			}
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return i
}

// unquote returns a JSON string's text, which is part of it where it can be.
func unquote(quoted string) (string, error) {
	if inner := quoted[1 : len(quoted)-1]; strings.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var s string
	err := json.Unmarshal([]byte(quoted), &s)
	return s, err
}

// text returns a string attribute; "" if it is not there or null.
func (m members) text(name string) (string, error) {
	i := m.find(name)
	switch {
	case i < 0 || m[i].text == "null":
		return "", nil
	case m[i].text[0] != '"':
		return "", &FormatError{name + " is not a string"}
	}
	return unquote(m[i].text)
}

// instant returns a timestamp attribute; zero if it is not there or null.
func (m members) instant(name string) (time.Time, error) {
	s, err := m.text(name)
	if err != nil || s == "" {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, &FormatError{fmt.Sprintf("%s %.40q is not an RFC 3339 time", name, s)}
	}
	return t.UTC(), nil
}

// contentType checks that data is JSON: application/json, text/json or
// anything +json, with whatever parameters.
func (m members) contentType() error {
	s, err := m.text("datacontenttype")
	if err != nil || s == "" {
		return err
	}
	kind, _, _ := strings.Cut(s, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json") {
		return nil
	}
	return &FormatError{fmt.Sprintf("datacontenttype %.40q is not JSON", s)}
}
