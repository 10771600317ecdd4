package manifest

import (
	"strings"
	"testing"
)

func TestProtocol(t *testing.T) {
	const head = "name = \"a\"\n[process.web]\ncommand = \"x\"\n"
	for text, health := range map[string]string{"http = true\n": "/", "http = true\nprotocol = \"http1\"\n": "/", "http = true\nprotocol = \"h2c\"\n": "",
		"http = true\nprotocol = \"h2c\"\nhealth = \"/up\"\n": "/up"} {
		m, err := Parse("m.toml", []byte(head+text))
		if err != nil || m.Process["web"].Health != health {
			t.Errorf("%q: %+v, %v", text, m, err)
		}
	}
	for _, text := range []string{"protocol = \"h2c\"\n", "http = true\nprotocol = \"h2\"\n"} {
		if _, err := Parse("m.toml", []byte(head+text)); err == nil || !strings.Contains(err.Error(), `protocol is "http1" or "h2c"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
