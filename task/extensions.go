package task

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

const maxExtensions = maxMembers - 12 // an event's own attributes

// ownAttribute reports whether an attribute of an event has a field of its own
// in Event, or is decided by it.
func ownAttribute(name string) bool {
	switch name {
	case "specversion", "id", "source", "type", "time", "notbefore", "traceparent", "tracestate", "datacontenttype", "data", "data_base64",
		"dataref", "datasha256", "datasize":
		return true
	}
	return false
}

// ExtensionName reports whether name can be that of an extension of an event:
// 1–64 of a-z and 0-9, and no attribute that an event has by itself.
func ExtensionName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= maxExtension && !ownAttribute(name)
}

// extensions are the members that have no field of their own, as far as they
// have a name and a value that CloudEvents knows; nil if there are none.
func (m members) extensions() map[string]string {
	var x map[string]string
	for i := range m {
		if !ExtensionName(m[i].name) {
			continue
		}
		value, ok := scalar(m[i].text)
		if !ok {
			continue
		}
		if x == nil {
			x = make(map[string]string)
		}
		x[m[i].name] = value
	}
	return x
}

// scalar is a JSON text, whole number or boolean in the canonical form that
// CloudEvents gives its types.
func scalar(raw string) (string, bool) {
	switch raw[0] {
	case '"':
		s, err := unquote(raw)
		return s, err == nil && utf8.ValidString(s)
	case 't', 'f':
		return raw, true
	case '{', '[', 'n':
		return "", false
	}
	var n int32 // CloudEvents' Integer
	if json.Unmarshal([]byte(raw), &n) != nil {
		return "", false
	}
	return raw, true
}

// withExtensions adds the extensions to an event written without them.
func (e *Event) withExtensions(body string) (string, error) {
	if len(e.Extensions) == 0 {
		return body, nil
	}
	if len(e.Extensions) > maxExtensions {
		return "", fmt.Errorf("task %s: %d extensions, more than %d", e.Type, len(e.Extensions), maxExtensions)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		if !ExtensionName(name) {
			return "", fmt.Errorf("task %s: %.40q cannot name an extension: use 1–%d of a-z and 0-9, and no attribute of the event", e.Type, name, maxExtension)
		}
		value, err := plainJSON(e.Extensions[name])
		if err != nil {
			return "", fmt.Errorf("task %s: extension %s: %w", e.Type, name, err)
		}
		body = body[:len(body)-1] + `,"` + name + `":` + value + "}"
	}
	return body, nil
}
