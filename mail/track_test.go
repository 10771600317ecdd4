package mail_test

import (
	"testing"

	"github.com/dayfly-dev/dayfly/mail"
)

func TestTrack(t *testing.T) {
	for in, want := range map[string]string{
		"See https://www.example.com/updates/haml/.":                    "See https://www.example.com/daily/?/updates/haml/.",
		"(https://www.example.com/a) <https://www.example.com/>":        "(https://www.example.com/daily/?/a) <https://www.example.com/daily/?/>",
		"https://www.example.com/a?x=1&y=2#end, and":                    "https://www.example.com/daily/?/a?x=1&y=2#end, and",
		"https://www.example.com/w/A_(b)!":                              "https://www.example.com/daily/?/w/A_(b)!",
		"https://www.example.com":                                       "https://www.example.com",
		"https://www.example.com.evil.example/a":                        "https://www.example.com.evil.example/a",
		"https://www.example.com:8443/a":                                "https://www.example.com:8443/a",
		"http://www.example.com/a https://example.com/a":                "http://www.example.com/a https://example.com/a",
		"https://www.example.com/daily/?/a":                             "https://www.example.com/daily/?/a",
		"https://www.example.com/weekly/?/a":                            "https://www.example.com/weekly/?/a",
		"https://www.example.com/daily/":                                "https://www.example.com/daily/",
		"https://www.example.com//a https://www.example.com/../":        "https://www.example.com//a https://www.example.com/../",
		"https://www.example.com/a%2Fb https://www.example.com/%2e%2e/": "https://www.example.com/a%2Fb https://www.example.com/%2e%2e/",
		"https://www.example.com/a%20b":                                 "https://www.example.com/daily/?/a%20b",
		"https://www.example.com/?b=%0a":                                "https://www.example.com/?b=%0a",
		"":                                                              "",
	} {
		if got := mail.Track(in, "https://www.example.com", "daily"); got != want {
			t.Errorf("%s\nbecame\n%s\nnot\n%s", in, got, want)
		}
	}
	for _, bad := range [][2]string{{"www.example.com", "daily"}, {"https://www.example.com/path", "daily"}, {"https://www.example.com", "a b"}, {"https://www.example.com", ""}, {"https://www.example.com", "-a"}} {
		if text := "https://www.example.com/a"; mail.Track(text, bad[0], bad[1]) != text {
			t.Errorf("%q was taken", bad)
		}
	}
}
