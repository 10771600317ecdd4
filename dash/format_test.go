package dash

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"unknown": -1, "0 s": 0, "1 µs": 300, "340 µs": 340 * time.Microsecond, "3.2 ms": 3200 * time.Microsecond, "41 ms": 41 * time.Millisecond,
		"1.2 s": 1290 * time.Millisecond, "9 s": 9 * time.Second, "59 s": 59900 * time.Millisecond, "1 min": time.Minute, "2 min 5 s": 125 * time.Second,
		"12 min": 12*time.Minute + 3*time.Second, "2 h 5 min": 125 * time.Minute, "1 d": 24 * time.Hour, "4 d 3 h": 99*time.Hour + time.Minute, "30 d": 725 * time.Hour,
	} {
		if got := duration(d); got != want {
			t.Errorf("duration(%d) = %q, want %q", d, got, want)
		}
	}
	for want, after := range map[string]time.Duration{"now": 0, "5 s ago": 5 * time.Second, "in 3 h": -3 * time.Hour} {
		if got := relative(now, now.Add(-after)); got != want {
			t.Errorf("relative %v = %q, want %q", after, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		byteSize(-1): "unknown", byteSize(0): "0 B", byteSize(1023): "1023 B", byteSize(1024): "1.0 KiB", byteSize(1<<20 - 1): "1.0 MiB", byteSize(50 << 20): "50 MiB", byteSize(1<<63 - 1): "8.0 EiB",
		count(0): "0", count(999): "999", count(1000): "1,000", count(int64(-1234567)): "-1,234,567",
		rate(0.02): "<0.1", rate(9.96): "10", rate(1234.5): "1,235", percent(-1): "unknown", percent(0.0002): "<0.1 %", percent(0.0021): "0.2 %", percent(1.624): "162 %",
		strip("абв", 3): "а…", strip("abc", 3): "abc",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCharts(t *testing.T) {
	if newChart("x", []float64{1}) != nil {
		t.Error("one point is a chart")
	}
	c := newChart("x", []float64{0, 5, 10}, []float64{0, 0, 0})
	if got, want := c.Lines[0].Path, "M0.0 46.0L120.0 24.0L240.0 2.0"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	if got, want := c.Lines[1].Path, "M0.0 46.0L120.0 46.0L240.0 46.0"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
}

// Bodies of messages come from anybody; indenting must not make much of little.
func FuzzPretty(f *testing.F) {
	for _, s := range []string{`{"a":[1,2]}`, "[", "{]", `["\"]"]`, strings.Repeat("[", 9000) + strings.Repeat("1,", 9000), " \n{}", `{"a\\":"{{{"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, isJSON := pretty(s)
		if !isJSON && text != s {
			t.Errorf("%q was changed to %q though it is no JSON", s, text)
		}
		if isJSON && (!json.Valid([]byte(text)) || len(text) > (2*maxDepth+4)*(len(s)+1)) {
			t.Errorf("%q became %d bytes", s, len(text))
		}
	})
}

func TestPrettyIsBounded(t *testing.T) {
	deep := strings.Repeat("[", 5000) + strings.Repeat("1,", 10_000) + "1" + strings.Repeat("]", 5000)
	if text, _ := pretty(deep); len(text) > 2*len(deep) {
		t.Errorf("%d bytes became %d", len(deep), len(text))
	}
	if _, isJSON := pretty(`{"a":"[[[[` + strings.Repeat("[", 100) + `"}`); !isJSON {
		t.Error("brackets in a string are counted as depth")
	}
}

// Lines come from whatever the processes print.
func FuzzCleanLine(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred\x1b[0m", "\x1b]8;;http://x\x07link\x1b]8;;\x07", "\x1b[", "\x1b", "a\x00b\rc", "\xff\xfe", strings.Repeat("€", 4000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := LogLine{Text: s}.clean().Text
		if len(got) > maxLine+len("…") || strings.ContainsAny(got, "\x1b\x00\r\n") || !utf8.ValidString(got) {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// The text of a mail, cut into links and the rest, is still the text.
func FuzzLinks(f *testing.F) {
	for _, s := range []string{"see https://x.example/a?b=c#d.", "(http://x)", "https://", "https://x https://y", "<https://x>", "javascript:alert(1)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b strings.Builder
		for _, p := range links(s) {
			b.WriteString(p.Text)
			if p.URL != "" && !isURL(p.URL) {
				t.Errorf("%q is a link in %q", p.URL, s)
			}
		}
		if b.String() != s {
			t.Errorf("%q became %q", s, b.String())
		}
	})
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost:80", "[::1]:80", "127.0.0.1", "evil.example", "a.localhost.", "[", "::1", "127.0.0.1:80:80"} {
		f.Add(s)
	}
	d := &Dash{}
	f.Fuzz(func(t *testing.T, s string) {
		if d.hostAllowed(s) && !strings.Contains(strings.ToLower(s), "localhost") && !strings.ContainsAny(s, "1") {
			t.Errorf("%q is taken for this machine", s)
		}
	})
}
