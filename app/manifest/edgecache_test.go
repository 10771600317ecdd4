package manifest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEdgeCache(t *testing.T) {
	for text, want := range map[string]*EdgeCache{
		"":                              nil,
		"[edge.cache]":                  {Size: 64 << 20, MaxBody: 8 << 20},
		"[edge.cache]\nsize = \"8MiB\"": {Size: 8 << 20, MaxBody: 1 << 20},
		`[edge.cache]
size = "1GiB"
max_body = "100MiB"
disk = "10GiB"
stale_while_revalidate = "1m"
stale_if_error = "1d"
obey = true
targets = ["CDN-Cache-Control"]
keep_keys = true
status_key = true`: {Size: 1 << 30, MaxBody: 100 << 20, Disk: 10 << 30, StaleWhileRevalidate: Duration(time.Minute),
			StaleIfError: Duration(24 * time.Hour), Obey: true, Targets: []string{"CDN-Cache-Control"}, KeepKeys: true, StatusKey: true},
	} {
		m, err := Parse("m.toml", []byte("name = \"a\"\n"+text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d := cmp.Diff(want, m.Edge.Cache); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestEdgeCacheErrors(t *testing.T) {
	for text, want := range map[string]string{
		`size = "1KiB"`:                        "m.toml:3:1: edge.cache.size is 1KiB; it must be between 1MiB and 1TiB",
		"size = \"2MiB\"\nmax_body = \"2MiB\"": "m.toml:4:1: edge.cache.max_body is 2MiB; it must be between 1KiB and 1MiB",
		`disk = "0B"`:                          "edge.cache.disk is 0B; it must be between 1MiB and 16TiB",
		`stale_if_error = "31d"`:               "edge.cache.stale_if_error is 31d; it must be between 0s and 30d",
		`targets = ["Surrogate-Control"]`:      `"Surrogate-Control" is not a field such as "CDN-Cache-Control"`,
		`stale_if_eror = "1d"`:                 "stale_if_error",
	} {
		_, err := Parse("m.toml", []byte("name = \"a\"\n[edge.cache]\n"+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
}
