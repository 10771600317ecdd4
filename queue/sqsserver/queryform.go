package sqsserver

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Most parameters of a request. The largest that means something, a batch of
// ten messages with ten attributes each, has about 350.
const maxParameters = 4096

var malformedQuery = kind{"MalformedQueryString", "MalformedQueryString", 404, true}

type parameter struct{ name, value string }

// appendParameters takes a form apart.
func appendParameters(list []parameter, form string) ([]parameter, error) {
	for form != "" {
		if len(list) == maxParameters {
			return nil, &apiError{serialization, "The request has more than " + strconv.Itoa(maxParameters) + " parameters."}
		}
		var pair string
		pair, form, _ = strings.Cut(form, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, &apiError{malformedQuery, "The query string contains a syntax error: " + strings.ToValidUTF8(err.Error(), "?") + "."}
		}
		list = append(list, parameter{name, value})
	}
	return list, nil
}

// argument is what a form says of one value. Its parts are the members of a
// structure, by their place in the shape, or the entries of a list or map, by
// their number in the form. Only what the shape knows is kept and numbers are
// only keys, so that a form costs what it weighs, whatever it says.
type argument struct {
	value string // of a text or number
	given bool   // the value is; it may be ""
	parts map[int]*argument
}

func (a *argument) part(n int) *argument {
	p := a.parts[n]
	if p == nil {
		if a.parts == nil {
			a.parts = map[int]*argument{}
		}
		p = &argument{}
		a.parts[n] = p
	}
	return p
}

// The halves of a map's entry.
const (
	keyPart = iota
	valuePart
)

// set files a value under the path that its name gives. Of values for the same
// place the last counts; what the shape does not know is ignored, as SQS
// ignores it.
func (a *argument) set(s *shape, path, value string) error {
	switch s.is {
	case isStructure:
		name, rest, _ := strings.Cut(path, ".")
		if i := s.find(name); i >= 0 {
			return a.part(i).set(s.members[i].shape, rest, value)
		}
	case isList, isMap:
		if path == "" && value == "" {
			return nil // an empty list, which some clients send so
		}
		n, rest, err := entryNumber(path)
		if err != nil {
			return err
		}
		entry := a.part(n)
		if s.is == isList {
			return entry.set(s.of, rest, value)
		}
		switch half, rest, _ := strings.Cut(rest, "."); half {
		case s.key:
			return entry.part(keyPart).set(textShape, rest, value)
		case s.value:
			return entry.part(valuePart).set(s.of, rest, value)
		}
	default:
		if path == "" {
			a.value, a.given = value, true
		}
	}
	return nil
}

// entryNumber takes the number off the path of an entry. The number may be
// missing where there is only one, as in Attribute.Name: it is 0 then.
func entryNumber(path string) (n int, rest string, err error) {
	word, rest, _ := strings.Cut(path, ".")
	if word == "member" { // how other services spell it
		return 0, "", &apiError{serialization, "Start of list found where not expected"}
	}
	if word == "" || word[0] < '0' || word[0] > '9' {
		return 0, path, nil
	}
	number, err := strconv.ParseUint(word, 10, 31)
	if err != nil || number == 0 {
		return 0, "", &apiError{serialization, "Entries of lists are numbered from 1 to 2147483647"}
	}
	return int(number), rest, nil
}

// says reports whether the form says anything of this value.
func (a *argument) says(s *shape) bool {
	switch {
	case a == nil:
		return false
	case s.is == isList, s.is == isMap:
		return len(a.parts) > 0
	}
	return a.given || s.is == isStructure
}

// encode writes the value in JSON for the actions to read. The name is the
// form's, for errors.
func (a *argument) encode(e *encoder, s *shape, name string) error {
	switch s.is {
	case isStructure:
		return a.encodeStructure(e, s, name)
	case isList:
		e.comma()
		e.b = append(e.b, '[')
		for _, n := range slices.Sorted(maps.Keys(a.parts)) {
			if p := a.parts[n]; p.says(s.of) {
				if err := p.encode(e, s.of, name+"."+strconv.Itoa(n)); err != nil {
					return err
				}
			}
		}
		e.endList()
	case isMap:
		return a.encodeMap(e, s, name)
	case isInteger:
		n, err := strconv.ParseInt(a.value, 10, 32)
		if err != nil {
			return &apiError{serialization, "The value of the parameter " + name + " is not an Integer of 32 bits"}
		}
		e.comma()
		e.b = strconv.AppendInt(e.b, n, 10)
	default:
		e.item(a.value)
	}
	return nil
}

func (a *argument) encodeStructure(e *encoder, s *shape, name string) error {
	if name != "" {
		name += "."
	}
	e.begin()
	for i, m := range s.members {
		p := a.parts[i]
		if !p.says(m.shape) {
			continue
		}
		e.name(m.name)
		if err := p.encode(e, m.shape, name+m.tag); err != nil {
			return err
		}
	}
	e.end()
	return nil
}

func (a *argument) encodeMap(e *encoder, s *shape, name string) error {
	e.begin()
	for _, n := range slices.Sorted(maps.Keys(a.parts)) {
		key, value := a.parts[n].parts[keyPart], a.parts[n].parts[valuePart]
		entry := name + "." + strconv.Itoa(n) + "."
		if !key.says(textShape) {
			return missingParameter(entry + s.key)
		}
		if !value.says(s.of) {
			return missingParameter(entry + s.value)
		}
		e.name(key.value)
		if err := value.encode(e, s.of, entry+s.value); err != nil {
			return err
		}
	}
	e.end()
	return nil
}
