package sqsserver

import (
	"strconv"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// encodeForm writes what a form says of a structure in JSON, for the actions to
// read. The prefix is that of its parameters, for errors. What the shape does
// not know is ignored, as SQS ignores it.
func encodeForm(e *encoder, s *shape, f *awsquery.Form, prefix string) error {
	e.begin()
	for i := range s.members {
		if err := encodeMember(e, &s.members[i], f, prefix); err != nil {
			return err
		}
	}
	e.end()
	return nil
}

// encodeMember writes a member of a structure, nothing where the form says
// nothing of it.
func encodeMember(e *encoder, m *member, f *awsquery.Form, prefix string) error {
	tag := m.tag
	if f.At(tag) == nil {
		tag = m.name // Tags.1.Key, as JSON calls it
	}
	switch m.shape.is {
	case isList, isMap:
		entries, err := entriesOf(f, tag, m.shape)
		if err != nil || entries == nil {
			return err
		}
		if m.shape.is == isMap {
			return encodeMap(e, m, entries, prefix+tag)
		}
		return encodeList(e, m, entries, prefix+tag)
	case isInteger:
		value, given := f.Lookup(tag)
		if !given {
			return nil
		}
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return &apiError{serialization, "The value of the parameter " + prefix + tag + " is not an Integer of 32 bits"}
		}
		e.integer(m.name, n)
	default:
		if value, given := f.Lookup(tag); given {
			e.str(m.name, value)
		}
	}
	return nil
}

// entriesOf returns the entries of a list or map in the order of their numbers.
// Where there is only one the number may be missing, as in AttributeName=All
// and Attribute.Name=…: SDKs before this version of the API left it out.
func entriesOf(f *awsquery.Form, tag string, s *shape) ([]*awsquery.Form, error) {
	under := f.At(tag)
	if under.At("member") != nil { // how services with other lists spell it
		return nil, &apiError{serialization, "Start of list found where not expected"}
	}
	if entries := f.List(tag); len(entries) > 0 {
		return entries, nil
	}
	// A name with an empty value is how some SDKs send an empty list.
	if under.Value() != "" && s.is == isList || s.is == isMap && under.At(s.key) != nil {
		return []*awsquery.Form{under}, nil
	}
	return nil, nil
}

func encodeList(e *encoder, m *member, entries []*awsquery.Form, name string) error {
	e.beginList(m.name)
	for i, entry := range entries {
		if m.shape.of.is != isStructure {
			e.item(entry.Value())
			continue
		}
		if err := encodeForm(e, m.shape.of, entry, name+"."+strconv.Itoa(i+1)+"."); err != nil {
			return err
		}
	}
	e.endList()
	return nil
}

func encodeMap(e *encoder, m *member, entries []*awsquery.Form, name string) error {
	e.beginObject(m.name)
	for i, entry := range entries {
		prefix := name + "." + strconv.Itoa(i+1) + "."
		key, given := entry.Lookup(m.shape.key)
		if !given {
			return missingParameter(prefix + m.shape.key)
		}
		if m.shape.of.is == isStructure {
			e.name(key)
			if err := encodeForm(e, m.shape.of, entry.At(m.shape.value), prefix+m.shape.value+"."); err != nil {
				return err
			}
			continue
		}
		value, given := entry.Lookup(m.shape.value)
		if !given {
			return missingParameter(prefix + m.shape.value)
		}
		e.str(key, value)
	}
	e.end()
	return nil
}
