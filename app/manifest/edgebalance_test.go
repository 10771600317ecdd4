package manifest

import (
	"strings"
	"testing"
	"time"
)

func TestEdgeBalance(t *testing.T) {
	m, err := Parse("m.toml", []byte(`name = "a"
[process.web]
command = "x"
http = true
[edge]
per_instance = 8
queue = 0
sticky = "cookie"
[edge.page]
unavailable = "static/sorry.html"
[edge.limit.login]
path = "/login"
method = "POST"
rate = "5/m"
[edge.limit.reports]
path = "/report/{id}"
by = "header:X-Api-Key"
concurrency = 2
`))
	if err != nil {
		t.Fatal(err)
	}
	b := m.Edge.EdgeBalance
	if b.PerInstance != 8 || b.Queue != 0 || b.QueueTimeout != Duration(5*time.Second) || b.SlowStart != Duration(10*time.Second) || b.Eject != "failures" ||
		b.Page.Unavailable != "static/sorry.html" || m.Process["web"].RestartUnhealthy != Duration(30*time.Second) {
		t.Errorf("%+v", b)
	}
	if l := b.Limit["login"]; l.By != "client" || l.Path != "/login" || l.Rate != "5/m" {
		t.Errorf("%+v", l)
	}
	if l := b.Limit["reports"]; l.By != "header:X-Api-Key" || l.Concurrency != 2 {
		t.Errorf("%+v", l)
	}
}

func TestWrongEdgeBalance(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"[edge]\nper_instance = 0\n", "m.toml:6:1: edge.per_instance is 0; it must be between 1 and 100000"},
		{"[edge]\nqueue = 5\n", "add per_instance = 8"},
		{"[edge]\nqueue_timeout = \"1s\"\n", "add per_instance = 8"},
		{"[edge]\neject = \"error\"\n", `did you mean "errors"?`},
		{"[edge]\nsticky = \"cookies\"\n", `did you mean "cookie"?`},
		{"[edge]\nslow_start = \"2h\"\n", "between 0s and 1h"},
		{"[edge]\nslow_start = 5\n", "a duration in quotes"},
		{"[edge]\nper_instanc = 5\n", `did you mean "per_instance"?`},
		{"[edge.page]\nunavailable = \"../sorry.html\"\n", "below the manifest's folder"},
		{"[edge.page]\nbusy = \"sorry.html\"\n", "known are unavailable, limited, maintenance"},
		{"[edge.limit.x]\npath = \"/\"\n", "[edge.limit.x] limits nothing"},
		{"[edge.limit.x]\nrate = \"fast\"\n", "not a rate"},
		{"[edge.limit.x]\nrate = \"0/s\"\n", "requests in 1ms to 24h"},
		{"[edge.limit.x]\nrate = \"1/s\"\nburst = 0\n", "edge.limit.x.burst is 0"},
		{"[edge.limit.x]\nconcurrency = 1\nburst = 2\n", "add rate ="},
		{"[edge.limit.x]\nconcurrency = 0\n", "edge.limit.x.concurrency is 0"},
		{"[edge.limit.x]\nrate = \"1/s\"\npath = \"login\"\n", "does not begin with /"},
		{"[edge.limit.x]\nrate = \"1/s\"\npath = \"/{id\"\n", "write a pattern"},
		{"[edge.limit.x]\nrate = \"1/s\"\nmethod = \"post\"\n", "such as \"POST\""},
		{"[edge.limit.x]\nrate = \"1/s\"\nby = \"ip\"\n", "it is \"client\""},
		{"[edge.limit.X]\nrate = \"1/s\"\n", "is not a name"},
		{"[process.w]\ncommand = \"x\"\nrestart_unhealthy = \"1m\"\n", "only a process with http"},
	} {
		_, err := Parse("m.toml", []byte("name = \"a\"\n[process.web]\ncommand = \"x\"\nhttp = true\n"+tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q:\n%v\nwant %s", tc.text, err, tc.want)
		}
	}
}
