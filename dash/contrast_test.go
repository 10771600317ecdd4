package dash

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

// Every text colour is readable on every ground it stands on: WCAG 2.2, 1.4.3,
// level AA, 4.5 to 1.
func TestContrast(t *testing.T) {
	css, err := assetFiles.ReadFile("assets/dash.css")
	if err != nil {
		t.Fatal(err)
	}
	roots := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllSubmatch(css, -1)
	if len(roots) != 2 {
		t.Fatalf("%d schemes in dash.css, want light and dark", len(roots))
	}
	pairs := [][2]string{
		{"text", "bg"}, {"text", "panel"}, {"text", "soft"}, {"text", "note"}, {"text", "bad-soft"}, {"dim", "bg"}, {"dim", "panel"}, {"dim", "soft"},
		{"accent", "bg"}, {"accent", "panel"}, {"accent", "soft"}, {"bad", "bg"}, {"bad", "panel"}, {"bad", "bad-soft"}, {"on-accent", "accent"}, {"panel", "bad"},
	}
	for i, scheme := range []string{"light", "dark"} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(string(roots[i][1]), -1) {
			colours[m[1]] = luminance(m[2])
		}
		for _, p := range pairs {
			a, okA := colours[p[0]]
			b, okB := colours[p[1]]
			ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05)
			if !okA || !okB || ratio < 4.5 {
				t.Errorf("%s: %s on %s has contrast %.2f", scheme, p[0], p[1], ratio)
			}
		}
	}
}

// luminance of a colour, WCAG 2.2, "relative luminance".
func luminance(hex string) float64 {
	n, _ := strconv.ParseUint(hex, 16, 32)
	l := 0.0
	for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
		c := float64(n>>(8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}
