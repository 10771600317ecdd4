package manifest

import (
	"strings"
	"testing"
	"time"
)

func TestStatic(t *testing.T) {
	for _, tc := range []struct {
		text string
		keep time.Duration
		want string // in the error
	}{
		{"dir = \"static\"", 30 * 24 * time.Hour, ""},
		{"dir = \"static\"\nkeep = \"0s\"", 0, ""},
		{"dir = \"static\"\nkeep = \"90d\"", 90 * 24 * time.Hour, ""},
		{"dir = \"static\"\nkeep = \"10m\"", 0, "static.keep"},
		{"dir = \"static\"\nkeep = \"4000d\"", 0, "static.keep"},
		{"dir = \"static\"\nkeep = 30", 0, "static.keep"},
		{"dir = \"static\"\nkept = \"1d\"", 0, "known are dir, prefix, keep"},
		{"dir = \"static\"\n[bucket.dayfly-static]", 0, "dayfly's own"},
	} {
		m, err := Parse("dayfly.toml", []byte("name = \"a\"\n[process.web]\ncommand = \"x\"\n[static]\n"+tc.text+"\n"))
		switch {
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v", tc.text, err)
		case tc.want == "" && (err != nil || time.Duration(m.Static.Keep) != tc.keep):
			t.Errorf("%s: %v", tc.text, err)
		}
	}
}
