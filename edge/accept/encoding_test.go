package accept

import (
	"strings"
	"testing"
)

func TestEncoding(t *testing.T) {
	for _, tc := range []struct {
		header string
		want   Weights // identity, gzip, zstd, br
	}{
		{"", Weights{1, 0, 0, 0}},
		{"gzip, deflate, br, zstd", Weights{1, 1000, 1000, 1000}},
		{"GZIP;q=0.5, br; q=0.25 ,identity;q=0", Weights{0, 500, 0, 250}},
		{"*", Weights{1000, 1000, 1000, 1000}},
		{"*;q=0, gzip", Weights{0, 1000, 0, 0}},
		{"gzip;q=0", Weights{1, 0, 0, 0}},
		{"x-gzip;q=0.001", Weights{1, 1, 0, 0}},
		{"gzip;q=1.001, br;q=2, zstd;q=0.1234", Weights{1, 0, 0, 0}},
		{"gzip;q=, br;q, zstd;x=1", Weights{1, 0, 0, 0}},
		{"gzip;q=1.000,br;q=0.", Weights{1, 1000, 0, 0}},
		{strings.Repeat("a,", 100) + "gzip", Weights{1, 0, 0, 0}},
	} {
		var values []string
		if tc.header != "" {
			values = []string{tc.header}
		}
		if got := ParseEncoding(values); got != tc.want {
			t.Errorf("%.40q: %v, want %v", tc.header, got, tc.want)
		}
	}
}

func FuzzEncoding(f *testing.F) {
	for _, s := range []string{"", "gzip, br;q=0.5", "*;q=0", "gzip;q=1.0001", ";;,,=;q", "identity;q=0,*;q=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := ParseEncoding([]string{s})
		for e, q := range a {
			if q < 0 || q > 1000 {
				t.Errorf("weight %d", q)
			}
			if q > 1 && !strings.Contains(strings.ToLower(s), names[e]) && !strings.Contains(s, "*") {
				t.Errorf("%s was not asked for", names[e])
			}
		}
	})
}
