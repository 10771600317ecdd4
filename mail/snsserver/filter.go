package snsserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// What a filter looks at (FilterPolicyScope).
const (
	scopeAttributes = "MessageAttributes"
	scopeBody       = "MessageBody"
)

// Bounds of a filter policy (subscription filter policy constraints).
const (
	maxPolicySize         = 256 << 10 // bytes
	maxPolicyKeys         = 5         // at the top; SNS counts parents only
	maxPolicyCombinations = 150
	maxNesting            = 100 // of a policy, and of a message as far as it is looked at
)

// filter decides which messages a subscription gets.
type filter struct {
	body bool // scopeBody
	rule rule
}

// rule holds when all its parts hold of an object.
type rule struct {
	values map[string][]condition // any condition of each key
	nested map[string]rule        // of the object under each key
	either [][]rule               // any of each $or
}

// newFilter compiles the attributes FilterPolicy and FilterPolicyScope of a
// subscription; nil when there is no policy. Errors are worded as SNS's.
func newFilter(attributes map[string]string) (*filter, error) {
	policy := attributes["FilterPolicy"]
	if policy == "" {
		return nil, nil
	}
	if len(policy) > maxPolicySize {
		return nil, fmt.Errorf("FilterPolicy: must be at most %d bytes", maxPolicySize)
	}
	v, err := readJSON(policy)
	root, isObject := v.(map[string]any)
	if err != nil || !isObject {
		return nil, errors.New("FilterPolicy: failed to parse JSON.")
	}
	if len(root) == 0 {
		return nil, nil // as SNS has it: {} takes the policy away
	}
	f := &filter{body: attributes["FilterPolicyScope"] == scopeBody}
	if len(root) > maxPolicyKeys {
		return nil, fmt.Errorf("FilterPolicy: Filter policy can not have more than %d keys", maxPolicyKeys)
	}
	c := compiler{combinations: 1}
	if f.rule, err = c.rule(root, 1); err == nil {
		err = c.check(f.body)
	}
	if err != nil {
		return nil, fmt.Errorf("FilterPolicy: %w", err)
	}
	return f, nil
}

func (f *filter) scope() string {
	if f.body {
		return scopeBody
	}
	return scopeAttributes
}

// readJSON reads one value, numbers as json.Number, nested at most maxNesting.
func readJSON(text string) (any, error) {
	if depth(text) > maxNesting {
		return nil, fmt.Errorf("is nested more than %d deep", maxNesting)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the JSON")
	}
	return v, nil
}

// depth counts how deep brackets nest, those in strings left out.
func depth(text string) (deepest int) {
	open, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == '{' || c == '['):
			open++
			deepest = max(deepest, open)
		case !inString && (c == '}' || c == ']'):
			open--
		}
	}
	return deepest
}

// compiler counts what a policy is bounded by while it makes rules of it.
type compiler struct {
	nested       bool
	combinations int
}

func (c *compiler) check(body bool) error {
	switch {
	case c.combinations > maxPolicyCombinations:
		return errors.New("Filter policy is too complex")
	case c.nested && !body:
		return errors.New("Filter policy scope MessageAttributes does not support nested filter policy")
	}
	return nil
}

func (c *compiler) rule(object map[string]any, level int) (rule, error) {
	r := rule{values: map[string][]condition{}, nested: map[string]rule{}}
	for key, value := range object {
		var err error
		switch value := value.(type) {
		case map[string]any:
			c.nested = true
			r.nested[key], err = c.rule(value, level+1)
		case []any:
			if alternatives, ok := orOf(key, value); ok {
				var any []rule
				any, err = c.alternatives(alternatives, level)
				r.either = append(r.either, any)
			} else {
				r.values[key], err = c.conditions(value, level)
			}
		default:
			err = fmt.Errorf("%q must be an object or an array", key)
		}
		if err != nil {
			return rule{}, err
		}
	}
	return r, nil
}

// orOf: $or is an operator before at least two objects that are no conditions;
// else it is a key like others.
func orOf(key string, list []any) (alternatives []map[string]any, ok bool) {
	if key != "$or" || len(list) < 2 {
		return nil, false
	}
	for _, e := range list {
		o, isObject := e.(map[string]any)
		if !isObject {
			return nil, false
		}
		for k := range o {
			if slices.Contains(operators, k) {
				return nil, false
			}
		}
		alternatives = append(alternatives, o)
	}
	return alternatives, true
}

// alternatives counts combinations as the sum over what is before times each.
func (c *compiler) alternatives(list []map[string]any, level int) ([]rule, error) {
	var rules []rule
	before, sum := c.combinations, 0
	for _, object := range list {
		c.combinations = before
		r, err := c.rule(object, level)
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
		sum = min(sum+c.combinations, maxPolicyCombinations+1)
	}
	c.combinations = sum
	return rules, nil
}

func (c *compiler) conditions(list []any, level int) ([]condition, error) {
	if len(list) == 0 {
		return nil, errors.New("Empty arrays are not allowed")
	}
	c.combinations = min(c.combinations*len(list)*level, maxPolicyCombinations+1)
	conditions := make([]condition, len(list))
	for i, e := range list {
		var err error
		if conditions[i], err = newCondition(e); err != nil {
			return nil, err
		}
	}
	return conditions, nil
}
