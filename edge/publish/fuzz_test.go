package publish

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzList has every list that is taken be one that is written the same.
func FuzzList(f *testing.F) {
	data, _, err := encodeList([]Page{{Path: "/", Any: true, Status: 200, Hash: hashOf(nil), Type: "text/html"},
		{Path: "/a", Query: "b=c", Status: 301, Hash: hashOf(nil), Header: map[string]string{"Location": "/"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":"dayfly-release","version":1,"pages":[{"path":"/..","status":200}]}`))
	f.Add([]byte(`{"format":"dayfly-release","version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		pages, err := decodeList(data)
		if err != nil {
			return
		}
		text, _, err := encodeList(pages)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeList(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(pages, again); diff != "" {
			t.Error(diff)
		}
	})
}
