package manifest

import (
	"slices"
	"testing"
)

func TestDiff(t *testing.T) {
	const base = "name = \"shop\"\n[process.web]\ncommand = \"run\"\nhttp = true\n[edge.limit.login]\nrate = \"5/m\"\n"
	for more, want := range map[string][]string{
		"":                                      nil,
		"[edge.limit.other]\nconcurrency = 1\n": {"edge.limit.other"},
		"[edge.cache]\n":                        {"edge.cache"},
		"[process.job]\ncommand = \"x\"\n[edge.cors.\"/x\"]\norigins = [\"*\"]\n": {"edge.cors./x", "process.job"},
		"[static]\ndir = \"files\"\n[edge.compress]\nmin_size = \"2KiB\"\n":       {"edge.compress.min_size", "static.dir"},
		"[env]\nA = \"1\"\n[listen]\nedge = \"127.0.0.1:0\"\n":                    {"env", "listen.edge"},
	} {
		a, err := Parse("/x/dayfly.toml", []byte(base))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse("/x/dayfly.toml", []byte(base+more))
		if err != nil {
			t.Fatal(more, err)
		}
		there, back := Diff(a, b), Diff(b, a)
		if !slices.Equal(there, want) || !slices.Equal(back, want) {
			t.Errorf("%q: %q, and back %q, not %q", more, there, back, want)
		}
	}
}
