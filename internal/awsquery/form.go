// Package awsquery is the older protocol of AWS, which SQS (2012-11-05), SNS
// (2010-03-31) and STS (2011-06-15) speak: a form comes in, whose names are
// paths ("Tags.member.1.Key"), and XML goes out. It knows no service's actions.
//
// Source: the awsQuery protocol of the Smithy specification. Input is bounded
// by MaxParameters and MaxDepth and by the body that the gateway has bounded.
package awsquery

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxParameters of one form: a batch of ten messages with ten attributes
	// each has a few hundred.
	MaxParameters = 4000
	// MaxDepth is the largest number of parts in a parameter's name.
	MaxDepth = 16
)

// MalformedError: a form that cannot be read. AWS answers it with the code
// MalformedQueryString and status 400.
type MalformedError struct{ Reason string }

func (e *MalformedError) Error() string { return "the query string is malformed: " + e.Reason }

// Form is a parsed form, or what lies under one part of its names. The nil
// Form is empty. It is not changed after Parse.
type Form struct {
	value string
	given bool // there is a parameter of exactly this name
	under map[string]*Form
}

// Parse reads forms, usually a request's body and its URL's raw query. Of a
// parameter given twice the first counts. Nothing of the arguments is kept.
func Parse(forms ...string) (*Form, error) {
	root, count := &Form{}, 0
	for _, form := range forms {
		for form != "" {
			var one string
			one, form, _ = strings.Cut(form, "&")
			if one == "" {
				continue
			}
			if count++; count > MaxParameters {
				return nil, &MalformedError{fmt.Sprintf("there are more than %d parameters", MaxParameters)}
			}
			if err := root.add(one); err != nil {
				return nil, err
			}
		}
	}
	return root, nil
}

func (f *Form) add(parameter string) error {
	name, value, _ := strings.Cut(parameter, "=")
	name, err := url.QueryUnescape(name)
	if err != nil {
		return &MalformedError{err.Error()}
	}
	if value, err = url.QueryUnescape(value); err != nil {
		return &MalformedError{err.Error()}
	}
	if strings.Count(name, ".") >= MaxDepth {
		return &MalformedError{fmt.Sprintf("a parameter's name has more than %d parts", MaxDepth)}
	}
	for part := range strings.SplitSeq(strings.Clone(name), ".") {
		next := f.under[part]
		if next == nil {
			next = &Form{}
			if f.under == nil {
				f.under = map[string]*Form{}
			}
			f.under[part] = next
		}
		f = next
	}
	if !f.given {
		f.value, f.given = strings.Clone(value), true
	}
	return nil
}

// At is what lies under a name, nil when there is nothing.
func (f *Form) At(name string) *Form {
	for part := range strings.SplitSeq(name, ".") {
		if f == nil {
			return nil
		}
		f = f.under[part]
	}
	return f
}

// Lookup is the value of a parameter and whether it was given.
func (f *Form) Lookup(name string) (value string, given bool) {
	if f = f.At(name); f == nil {
		return "", false
	}
	return f.value, f.given
}

// Get is the value of a parameter, "" when it was not given.
func (f *Form) Get(name string) string {
	value, _ := f.Lookup(name)
	return value
}

// Value of the parameter that ends here; of an element of a list of strings.
func (f *Form) Value() string {
	if f == nil {
		return ""
	}
	return f.value
}

// List returns the elements of a list, those under name.1, name.2 and so on, in
// the order of their numbers, which may have gaps. Services that do not flatten
// their lists have them under name+".member", maps under name+".entry".
func (f *Form) List(name string) []*Form {
	f = f.At(name)
	if f == nil {
		return nil
	}
	type element struct {
		number int
		form   *Form
	}
	var found []element
	for part, under := range f.under {
		// Of "1" and "01" only the first is how a number is written.
		if n, err := strconv.Atoi(part); err == nil && n > 0 && strconv.Itoa(n) == part {
			found = append(found, element{n, under})
		}
	}
	slices.SortFunc(found, func(a, b element) int { return cmp.Compare(a.number, b.number) })
	list := make([]*Form, len(found))
	for i, e := range found {
		list[i] = e.form
	}
	return list
}

// Strings are the values of a list of strings.
func (f *Form) Strings(name string) []string {
	list := f.List(name)
	if list == nil {
		return nil
	}
	values := make([]string, len(list))
	for i, e := range list {
		values[i] = e.value
	}
	return values
}
