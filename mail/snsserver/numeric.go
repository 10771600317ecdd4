package snsserver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
)

// numericRange is ["=", 5], ["<", 5] or [">=", 0, "<", 10].
type numericRange struct {
	operator string
	bound    json.Number
}

func newNumeric(operand any) (condition, error) {
	list, ok := operand.([]any)
	if !ok {
		return nil, errors.New("Value of numeric must be an array.")
	}
	if len(list) == 0 {
		return nil, errors.New("Invalid member in numeric match: ]")
	}
	first, err := numericPart(list, "Invalid member in numeric match: %v", "Unrecognized numeric range operator: %s", "=", "<", "<=", ">", ">=")
	if err != nil {
		return nil, err
	}
	ranges := []numericRange{first}
	if len(list) > 2 {
		if first.operator != ">" && first.operator != ">=" {
			return nil, errors.New("Too many elements in numeric expression")
		}
		second, err := numericPart(list[2:], "Bad value in numeric range: %v", "Bad numeric range operator: %s", "<", "<=")
		if err != nil {
			return nil, err
		}
		if compare(second.bound, first.bound) <= 0 {
			return nil, errors.New("Bottom must be less than top")
		}
		if len(list) > 4 {
			return nil, errors.New("Too many terms in numeric range expression")
		}
		ranges = append(ranges, second)
	}
	return func(v any, _ bool) bool {
		n, ok := v.(json.Number)
		for _, r := range ranges {
			ok = ok && r.holds(n)
		}
		return ok
	}, nil
}

// numericPart reads an operator and its bound.
func numericPart(list []any, notString, notOperator string, operators ...string) (numericRange, error) {
	operator, ok := list[0].(string)
	if !ok {
		return numericRange{}, fmt.Errorf(notString, list[0])
	}
	known := false
	for _, o := range operators {
		known = known || o == operator
	}
	if !known {
		return numericRange{}, fmt.Errorf(notOperator, operator)
	}
	if len(list) > 1 {
		if n, ok := list[1].(json.Number); ok {
			return numericRange{operator, n}, nil
		}
	}
	if operator == "=" {
		operator = "equals"
	}
	return numericRange{}, fmt.Errorf("Value of %s must be numeric", operator)
}

func (r numericRange) holds(n json.Number) bool {
	c := compare(n, r.bound)
	switch r.operator {
	case "=":
		return c == 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// shortNumber is how long a number may be for float64 to tell it apart from all
// others as short: 15 significant digits survive the conversion.
const shortNumber = 15

// compare is exact for numbers that a float64 does not tell apart, as long as
// they are written out; big.Rat would make 1e-999999 take a third of a second,
// and a message may have 30,000 of them.
func compare(a, b json.Number) int {
	if len(a) > shortNumber || len(b) > shortNumber {
		x, okX := exact(a)
		y, okY := exact(b)
		if okX && okY {
			return x.Cmp(y)
		}
	}
	f, _ := a.Float64() // out of range is ±Inf or 0, which compare as they should
	g, _ := b.Float64()
	return cmp.Compare(f, g)
}

// exact is a number of 1e-30 to 1e30, of either sign, in at most 64 bytes.
func exact(n json.Number) (*big.Rat, bool) {
	f, err := n.Float64()
	if size := math.Abs(f); err != nil || len(n) > 64 || size > 1e30 || size < 1e-30 {
		return nil, false
	}
	return new(big.Rat).SetString(string(n))
}
