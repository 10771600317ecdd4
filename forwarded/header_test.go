package forwarded

import (
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
		{"", []el{{}}},
		{"for=1.1.1.1", []el{{node: "1.1.1.1"}}},
		{`For="[::1]:80";by=x;proto=https, for=unknown`, []el{{node: "[::1]:80", proto: "https"}, {node: "unknown"}}},
		{`host="a\"b"`, []el{{host: `a"b`}}},
		{"for=1.1.1.1;;proto=http", []el{{node: "1.1.1.1", proto: "http"}}},
		{`for="unfinished`, nil}, {"for", nil}, {"for=", nil}, {"=x", nil}, {"for=a b", nil}, {"for=a\x00", nil}, {`"a"=b`, nil},
		{strings.Repeat("for=a,", maxHops+1), nil}, {strings.Repeat("a", maxHeader+1), nil},
	} {
		if diff := cmp.Diff(tc.want, parseForwarded(tc.s), cmp.AllowUnexported(el{})); diff != "" {
			t.Errorf("%.60q: %s", tc.s, diff)
		}
	}
}
