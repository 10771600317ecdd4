package snsserver

import (
	"encoding/base64"
	"maps"
	"slices"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// pageSize of the lists (ListTopics, ListSubscriptions).
const pageSize = 100

// entries reads a map: name.entry.N.key and .value.
func entries(f *awsquery.Form, name string) map[string]string {
	m := map[string]string{}
	for _, e := range f.List(name + ".entry") {
		m[e.Get("key")] = e.Get("value")
	}
	return m
}

// writeEntries writes a map under Attributes.
func writeEntries(w *awsquery.Writer, m map[string]string) {
	w.Begin("Attributes")
	for _, key := range slices.Sorted(maps.Keys(m)) {
		w.Begin("entry")
		w.Text("key", key)
		w.Text("value", m[key])
		w.End()
	}
	w.End()
}

// pageOf is the page that NextToken asks for, of a list in ascending order of
// key, and the token of the page after it. A token names the last key before
// the page, so that a list that changes meanwhile neither repeats nor leaves out.
func pageOf[T any](f *awsquery.Form, all []T, key func(T) string) (page []T, next string, err error) {
	after, err := base64.StdEncoding.DecodeString(f.Get("NextToken"))
	if err != nil {
		return nil, "", invalid("NextToken")
	}
	start := 0
	if len(after) > 0 {
		start, _ = slices.BinarySearchFunc(all, string(after), func(e T, after string) int {
			if key(e) <= after {
				return -1
			}
			return 1
		})
	}
	page = all[start:]
	if len(page) > pageSize {
		page = page[:pageSize]
		next = base64.StdEncoding.EncodeToString([]byte(key(page[pageSize-1])))
	}
	return page, next, nil
}

func writeNext(w *awsquery.Writer, next string) {
	if next != "" {
		w.Text("NextToken", next)
	}
}
