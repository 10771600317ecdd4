package snsserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// condition holds of one value of a message; there reports whether the message
// has the key at all. Values are those of readJSON.
type condition func(value any, there bool) bool

// operators there are.
var operators = []string{"prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "cidr"}

// newCondition compiles an element of a key's array.
func newCondition(e any) (condition, error) {
	switch e := e.(type) {
	case map[string]any:
		if len(e) != 1 {
			return nil, errors.New("Only one key allowed in match expression")
		}
		for operator, operand := range e {
			return newMatch(operator, operand)
		}
	case []any:
		return nil, errors.New("Match value must be String, number, true, false, or null")
	}
	return func(v any, there bool) bool { return there && equal(v, e) }, nil
}

func newMatch(operator string, operand any) (condition, error) {
	switch operator {
	case "prefix", "suffix", "equals-ignore-case":
		return newStringMatch(operator, operand)
	case "anything-but":
		return newAnythingBut(operand)
	case "numeric":
		return newNumeric(operand)
	case "exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, errors.New("exists match pattern must be either true or false.")
		}
		return func(_ any, there bool) bool { return there == want }, nil
	case "cidr":
		return newCIDR(operand)
	}
	return nil, fmt.Errorf("Unrecognized match type %s", operator)
}

func newStringMatch(operator string, operand any) (condition, error) {
	want, ok := operand.(string)
	if !ok {
		return nil, fmt.Errorf("%s match pattern must be a string", operator)
	}
	match := map[string]func(v, want string) bool{
		"prefix": strings.HasPrefix, "suffix": strings.HasSuffix, "equals-ignore-case": strings.EqualFold,
	}[operator]
	return func(v any, _ bool) bool {
		s, ok := v.(string)
		return ok && match(s, want)
	}, nil
}

// newAnythingBut takes a value, several, or {"prefix":…}.
func newAnythingBut(operand any) (condition, error) {
	var not []any
	switch operand := operand.(type) {
	case []any:
		not = operand
	case map[string]any:
		prefix, ok := operand["prefix"].(string)
		if !ok || len(operand) != 1 {
			return nil, errors.New("Unsupported anything-but pattern: it takes values, or a prefix")
		}
		return func(v any, there bool) bool {
			s, ok := v.(string)
			return there && v != nil && (!ok || !strings.HasPrefix(s, prefix))
		}, nil
	default:
		not = []any{operand}
	}
	for _, e := range not {
		switch e.(type) {
		case string, json.Number:
		default:
			return nil, errors.New("Inside anything but list, start|null|boolean is not supported.")
		}
	}
	if len(not) == 0 {
		return nil, errors.New("Empty arrays are not allowed")
	}
	return func(v any, there bool) bool {
		return there && v != nil && !slices.ContainsFunc(not, func(e any) bool { return equal(v, e) })
	}, nil
}

func newCIDR(operand any) (condition, error) {
	text, ok := operand.(string)
	if !ok {
		return nil, errors.New("prefix match pattern must be a string")
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("Malformed CIDR: %s", text)
	}
	return func(v any, _ bool) bool {
		s, _ := v.(string)
		address, err := netip.ParseAddr(s)
		return err == nil && network.Contains(address)
	}, nil
}

// equal compares a value of a message with one of a policy: strings with
// strings, numbers by their value.
func equal(v, want any) bool {
	if n, ok := want.(json.Number); ok {
		m, ok := v.(json.Number)
		return ok && compare(m, n) == 0
	}
	switch v.(type) {
	case nil, bool, string:
		return v == want
	}
	return false
}
