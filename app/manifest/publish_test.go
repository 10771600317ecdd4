package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPublish(t *testing.T) {
	const site = "name = \"a\"\n[process.web]\ncommand = \"x\"\nhttp = true\n"
	for text, want := range map[string]*Publish{
		"":                                       nil,
		"[publish]":                              {Keep: 10, Memory: 512 << 20},
		"[publish]\nkeep = 3\nmemory = \"1GiB\"": {Keep: 3, Memory: 1 << 30},
	} {
		m, err := Parse("m.toml", []byte(site+text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d := cmp.Diff(want, m.Publish); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for text, want := range map[string]string{
		site + "[publish]\nkeep = 0":                     "m.toml:6:1: publish.keep is 0; it must be between 1 and 100",
		site + "[publish]\nmemory = \"1KiB\"":            "publish.memory is 1KiB; it must be between 1MiB and 1TiB",
		site + "[publish]\nkeeps = 3":                    "keep",
		site + "[publish]\n[bucket.dayfly-publish]":      "dayfly's own",
		"name = \"a\"\n[publish]":                        "there is no site to publish on",
		"name = \"a\"\n[static]\ndir = \"s\"\n[publish]": "",
	} {
		_, err := Parse("m.toml", []byte(text+"\n"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", text, err, want)
		}
	}
}
