package snsserver

import (
	"encoding/json"
	"regexp"
	"strings"
)

// lets reports whether a message goes to the subscription. The body is the one
// for its protocol.
func (f *filter) lets(body string, attributes map[string]Attribute) bool {
	if f == nil {
		return true
	}
	if !f.body {
		return f.rule.holds(attributeValues(attributes))
	}
	v, err := readJSON(body)
	object, ok := v.(map[string]any)
	return err == nil && ok && f.rule.holds(object)
}

// decimal is how a number is written; bounded, as whoever publishes writes it.
var decimal = regexp.MustCompile(`^[+-]?[0-9]{1,60}(\.[0-9]{0,60})?([eE][+-]?[0-9]{1,4})?$`)

// attributeValues makes an object of a message's attributes. Binary ones are
// not compared, and are as if they were not there.
func attributeValues(attributes map[string]Attribute) map[string]any {
	object := make(map[string]any, len(attributes))
	for name, a := range attributes {
		switch kind, _, _ := strings.Cut(a.DataType, "."); {
		case a.DataType == "String.Array":
			if v, err := readJSON(a.String); err == nil {
				if list, ok := v.([]any); ok {
					object[name] = list
				}
			}
		case kind == "Number" && decimal.MatchString(a.String):
			object[name] = json.Number(strings.TrimPrefix(a.String, "+"))
		case kind != "Binary":
			object[name] = a.String
		}
	}
	return object
}

// holds reports whether the rule holds of an object.
func (r *rule) holds(object map[string]any) bool {
	for key, conditions := range r.values {
		value, there := object[key]
		if !anyHolds(conditions, value, there) {
			return false
		}
	}
	for key, nested := range r.nested {
		if !nested.holdsIn(object[key]) {
			return false
		}
	}
	for _, alternatives := range r.either {
		held := false
		for _, a := range alternatives {
			held = held || a.holds(object)
		}
		if !held {
			return false
		}
	}
	return true
}

// holdsIn looks at an object, or at those in an array, of which one must
// satisfy the whole rule. Where there is none, only {"exists": false} holds.
func (r *rule) holdsIn(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return r.holds(value)
	case []any:
		for _, e := range value {
			if r.holdsIn(e) {
				return true
			}
		}
		return len(value) == 0 && r.holds(nil)
	}
	return r.holds(nil)
}

// anyHolds: one condition of one value is enough, an array's elements each
// being a value. Keys with an object or nothing under them do not exist.
func anyHolds(conditions []condition, value any, there bool) bool {
	switch value := value.(type) {
	case []any:
		for _, e := range value {
			if anyHolds(conditions, e, true) {
				return true
			}
		}
		if len(value) > 0 {
			return false
		}
		there = false
	case map[string]any:
		there = false
	}
	if !there {
		value = nil
	}
	for _, c := range conditions {
		if c(value, there) {
			return true
		}
	}
	return false
}
