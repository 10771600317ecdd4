package forwarded

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseForwarded(t *testing.T) {
	type el = element
	for _, tc := range []struct {
		s    string
		want []el
	}{
		{"", nil}, {" , ;,", nil},
		{"for=1.1.1.1", []el{{node: "1.1.1.1"}}},
		{`For="[::1]:80";by=x;proto=https, for=unknown`, []el{{node: "[::1]:80", proto: "https"}, {node: "unknown"}}},
		{`host="a\"b"`, []el{{host: `a"b`}}},
		{"for=1.1.1.1;;proto=http", []el{{node: "1.1.1.1", proto: "http"}}},
		{`for="unfinished`, nil}, {"for", nil}, {"for=", nil}, {"=x", nil}, {"for=a b", nil}, {"for=a\x00", nil}, {`"a"=b`, nil},
		{strings.Repeat("a", maxHeader+1), nil},
		// What a client wrote must not hide what proxies added.
		{strings.Repeat("for=a,", maxHops+1), slices.Repeat([]el{{node: "a"}}, maxHops)},
		{`for="unfinished, for=192.0.2.7;proto=https`, []el{{node: "192.0.2.7", proto: "https"}}},
		{`for="unfinished, for="[2001:db8::9]:99";host="a"`, []el{{node: "[2001:db8::9]:99", host: "a"}}},
		{`for=\x00, for=a,`, []el{{node: "a"}}},
		{`x="` + strings.Repeat("a", maxHeader) + `",for=b`, []el{{node: "b"}}},
		{`x="a, for=6.6.6.6", for=b`, []el{{}, {node: "b"}}}, // a comma in a string
		{`for=192.0.2.7;host="x, for=6.6.6.6;y="`, []el{{node: "192.0.2.7", host: "x, for=6.6.6.6;y="}}},
		{`for="_h\"id,den";by="_a"`, []el{{node: `_h"id,den`}}},
		{"for=a,,for=b,", []el{{node: "a"}, {node: "b"}}},
		{"by=x,for=b", []el{{}, {node: "b"}}},
	} {
		if diff := cmp.Diff(tc.want, parseForwarded(tc.s), cmp.AllowUnexported(el{})); diff != "" {
			t.Errorf("%.60q: %s", tc.s, diff)
		}
	}
}
