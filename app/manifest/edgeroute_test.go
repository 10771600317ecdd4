package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/edge/traffic"
)

func TestEdgeRoutes(t *testing.T) {
	m, err := Parse("m.toml", []byte(`name = "a"
[edge.route.item]
path = "/item/{id}"
[edge.route.api]
path = "/api/"
method = "POST"
`))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]traffic.Pattern{{Name: "api", Path: "/api/", Method: "POST"}, {Name: "item", Path: "/item/{id}"}}, m.Edge.Routes()); d != "" {
		t.Error(d)
	}
	if err := traffic.Check(m.Edge.Routes()); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"[edge.route.x]\n":                                                                      `edge.route.x has no path: add path =`,
		"[edge.route.x]\npath = \"x\"\n":                                                        `m.toml:3:1: edge.route.x.path: "x" does not begin with /`,
		"[edge.route.x]\npath = \"/{\"\n":                                                       `write a pattern such as`,
		"[edge.route.x]\npath = \"/\"\nmethod = \"get\"\n":                                      `such as "POST"`,
		"[edge.route.x]\npath = \"/\"\nmethods = \"GET\"\n":                                     `did you mean "method"?`,
		"[edge.route.X]\npath = \"/\"\n":                                                        `is not a name`,
		"[edge.route.x]\npath = \"/{a}/b\"\n[edge.route.y]\npath = \"/a/{b}\"\n":                `m.toml:5:1: edge.route.y.path: it conflicts with that of another route`,
		"[edge.route.x]\npath = \"/a\"\n[edge.route.y]\npath = \"/a\"\n[edge]\nhold = \"1s\"\n": `conflicts`,
	} {
		if _, err := Parse("m.toml", []byte("name = \"a\"\n"+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
