package manifest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/edge/compress"
	"github.com/dayfly-dev/dayfly/edge/cors"
	"github.com/dayfly-dev/dayfly/edge/jsonp"
	"github.com/dayfly-dev/dayfly/edge/stamp"
)

func TestEdgeAnswers(t *testing.T) {
	m, err := Parse("m.toml", []byte(`name = "a"
[edge.compress]
types = ["text/*"]
off = ["/account"]
[edge.cors."/api/"]
origins = ["https://www.example.com", "https://*.example.org"]
headers = ["X-Token"]
credentials = true
[edge.cors."/open.data"]
origins = ["*"]
max_age = "0s"
[edge.jsonp."/api/"]
[edge.stamp."/api/"]
parameter = "v"
max_age = "30d"
[edge.bodies]
rate = "0B"
answer = "1MiB"
`))
	if err != nil {
		t.Fatal(err)
	}
	e := &m.Edge
	if d := cmp.Diff(&compress.Options{Types: []string{"text/*"}, MinSize: 1 << 10, Off: []string{"/account"}}, e.Compress.Options()); d != "" {
		t.Error(d)
	}
	got := []any{e.CORS["/api/"].Rule("/api/"), e.CORS["/open.data"].Rule("/open.data"), e.JSONP["/api/"].Rule("/api/"), e.Stamp["/api/"].Rule("/api/"), e.Bodies}
	want := []any{
		cors.Rule{Path: "/api/", Origins: []string{"https://www.example.com", "https://*.example.org"}, Headers: []string{"X-Token"}, Credentials: true, MaxAge: 2 * time.Hour},
		cors.Rule{Path: "/open.data", Origins: []string{"*"}},
		jsonp.Rule{Path: "/api/", Parameter: "callback", MaxSize: 1 << 20},
		stamp.Rule{Path: "/api/", Parameter: "v", MaxAge: 30 * 24 * time.Hour},
		EdgeBodies{Grace: Duration(10 * time.Second), Stall: Duration(time.Minute), Request: 32 << 20, Answer: 1 << 20, Total: 1 << 30},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for text, on := range map[string]bool{"": true, "[edge.compress]\n": true, "[edge.compress]\nenabled = false\n": false} {
		m, err := Parse("m.toml", []byte("name = \"a\"\n"+text))
		if err != nil || (m.Edge.Compress.Options() != nil) != on {
			t.Errorf("%q compresses: %v, %v", text, !on, err)
		}
	}
}

func TestEdgeAnswersErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[edge.compress]\nmin_size = 5\n":                                         "m.toml:3:1: edge.compress.min_size must be a size in quotes",
		"[edge.compress]\nmin_size = \"65KiB\"\n":                                 "edge.compress.min_size is 65KiB; it must be between 1B and 64KiB",
		"[edge.compress]\ntypes = [\"text\"]\n":                                   "m.toml:3:1: edge.compress.types: \"text\" is not a media type",
		"[edge.compress]\noff = [\"account\"]\n":                                  "m.toml:3:1: edge.compress.off: \"account\" does not begin with /",
		"[edge.compress]\nlevel = 9\n":                                            "unknown key \"level\" in [edge.compress]",
		"[edge.cors.\"/api/\"]\n":                                                 "m.toml:2:12: edge.cors: /api/: no origins: name those",
		"[edge.cors.api]\norigins = [\"*\"]\n":                                    "m.toml:2:12: edge.cors: \"api\" does not begin with /",
		"[edge.cors.\"/\"]\norigins = [\"*\"]\ncredentials = true\n":              "origin \"*\" with credentials would have every page read",
		"[edge.cors.\"/\"]\norigins = [\"https://a.example/\"]\n":                 "\"https://a.example/\" is not an origin as browsers write it",
		"[edge.cors]\norigins = [\"*\"]\n":                                        "edge.cors.origins must be a table",
		"[edge.jsonp.\"/api\"]\nparameter = \"a.b\"\n":                            "edge.jsonp: /api: \"a.b\" is not a parameter's name",
		"[edge.jsonp.\"/api\"]\nmax_size = \"1B\"\n":                              "m.toml:3:1: edge.jsonp./api.max_size is 1B; it must be between 1KiB and 64MiB",
		"[edge.stamp.\"/api\"]\nmax_age = \"366d\"\n":                             "m.toml:3:1: edge.stamp./api.max_age is 366d; it must be between 1s and 365d",
		"[edge.stamp.\"/a?b\"]\n":                                                 "is a path without query",
		"[edge.bodies]\nstall = \"1ms\"\n":                                        "edge.bodies.stall is 1ms; it must be between 1s and 10m",
		"[edge.bodies]\nrequest = \"2GiB\"\n":                                     "edge.bodies.request is 2GiB; it must be between 0B and 1GiB",
		"[edge.bodies]\nrequests = \"2GiB\"\n":                                    "unknown key \"requests\" in [edge.bodies]; did you mean \"request\"?",
		"[edge.bodies]\ntotal = \"1KiB\"\nanswer = \"0B\"\nrequest = \"0B\"\n":    "edge.bodies.total is 1KiB; it must be between 1MiB and 1TiB",
		"[edge.cors.\"/\"]\norigins = [\"*\"]\nmax_age = \"25h\"\n":               "max age is 25h0m0s; it must be between 0s and 24h",
		"[edge.cors.\"/\"]\norigins = [\"*\"]\nmethod = [\"GET\"]\n":              "unknown key \"method\" in [edge.cors./]; did you mean \"methods\"?",
		"[edge.cors.\"/a/../b\"]\norigins = [\"*\"]\n":                            "has empty or dot segments; write \"/b\"",
		"[edge.cors.\"/\"]\norigins = [\"https://a.example\"]\nmethods=[\"*\"]\n": "\"*\" is not a method that a page may use",
	} {
		if _, err := Parse("m.toml", []byte("name = \"a\"\n"+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
