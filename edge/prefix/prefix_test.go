package prefix

import "testing"

func TestHas(t *testing.T) {
	for _, tc := range []struct {
		path, prefix string
		want         bool
	}{
		{"/api", "/api", true}, {"/api", "/api/", true}, {"/api/", "/api", true}, {"/api/x", "/api", true}, {"/api/x", "/api/", true},
		{"/apix", "/api", false}, {"/ap", "/api", false}, {"/", "/api", false}, {"/anything", "/", true}, {"/", "/", true}, {"*", "/", false},
		{"//api//x", "/api", true}, {"/./api", "/api", true}, {"/x/../api/y", "/api", true}, {"/api/../x", "/api", false}, {"/API", "/api", false},
	} {
		if got := Has(tc.path, tc.prefix); got != tc.want {
			t.Errorf("%q below %q: %v", tc.path, tc.prefix, got)
		}
	}
}

func TestLongest(t *testing.T) {
	of := []string{"/", "/api/", "/api/v2", "/apiary"}
	for path, want := range map[string]int{"/": 0, "/api": 1, "/api/v1": 1, "/api/v2/x": 2, "/apiary": 3, "*": -1} {
		if got := Longest(path, of); got != want {
			t.Errorf("%s: %d, not %d", path, got, want)
		}
	}
	if HasAny("/x", of[1:]) || !HasAny("/x", of) || Longest("/x", nil) != -1 {
		t.Error("any and none")
	}
}

func TestCheck(t *testing.T) {
	for _, s := range []string{"/", "/api", "/api/", "/a/b.c/~d", "/é"} {
		if err := Check(s); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "api", "/a b", "/a?b", "/a#b", "/api/*", "//", "/a//b", "/a/../b", "/./a", "/a\n"} {
		if Check(s) == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}
