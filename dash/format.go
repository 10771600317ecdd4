package dash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// funcs are what templates format values with.
func (d *Dash) funcs() template.FuncMap {
	return template.FuncMap{
		"ago":      func(t time.Time) string { return relative(d.Now(), t) },
		"sinceNow": func(t time.Time) time.Duration { return max(0, d.Now().Sub(t)).Truncate(time.Second) },
		"exact":    func(t time.Time) string { return t.Format("2006-01-02 15:04:05.000 MST") },
		"machine":  func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"clock":    func(t time.Time) string { return t.Local().Format("15:04:05.000") },
		"bytes":    byteSize,
		"dur":      duration,
		"count":    count,
		"rate":     rate,
		"percent":  func(f float64) string { return percent(f) },
		"strip":    strip,
		"isURL":    isURL,
		"nav":      func() []navEntry { return navigation },
		"add":      func(a, b int) int { return a + b },
	}
}

type navEntry struct{ Name, Path string }

var navigation = []navEntry{
	{"Overview", "/"}, {"Requests", "/requests"}, {"Queues", "/queues"}, {"Schedule", "/schedule"}, {"Inbox", "/inbox"},
	{"Objects", "/objects"}, {"Logs", "/logs"}, {"Clicks", "/clicks"},
}

// relative is a time as people say it: "12 s ago", "in 3 h".
func relative(now, t time.Time) string {
	d := now.Sub(t)
	if d.Abs() < time.Second {
		return "now"
	}
	if d < 0 {
		return "in " + duration(-d)
	}
	return duration(d) + " ago"
}

// duration keeps the two leading units: "340 µs", "1.2 s", "3 min", "2 h 5 min", "4 d 3 h".
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "unknown"
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", max(1, d.Microseconds()))
	case d < 10*time.Millisecond:
		return trimZero(float64(d)/float64(time.Millisecond)) + " ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second && d%time.Second != 0:
		return trimZero(math.Floor(d.Seconds()*10)/10) + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return twoUnits(d, time.Minute, "min", time.Second, "s", 10)
	case d < 24*time.Hour:
		return twoUnits(d, time.Hour, "h", time.Minute, "min", 24)
	}
	return twoUnits(d, 24*time.Hour, "d", time.Hour, "h", 10)
}

// twoUnits drops the second unit when there are at least few of the first.
func twoUnits(d, big time.Duration, bigName string, small time.Duration, smallName string, few time.Duration) string {
	n, rest := d/big, d%big/small
	if n >= few || rest == 0 {
		return fmt.Sprintf("%d %s", n, bigName)
	}
	return fmt.Sprintf("%d %s %d %s", n, bigName, rest, smallName)
}

func trimZero(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// byteSize in units of 1024.
func byteSize(n int64) string {
	if n < 0 {
		return "unknown"
	}
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for f >= 1023.5 && unit < 6 {
		f /= 1024
		unit++
	}
	digits := 0
	if f < 10 {
		digits = 1
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + " " + [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}[unit]
}

// count separates thousands.
func count(n any) string { // of any integer type
	s := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// rate of something a second.
func rate(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 0.1:
		return "<0.1"
	case f < 10:
		return trimZero(f)
	}
	return count(int64(math.Round(f)))
}

// percent of a share.
func percent(f float64) string {
	switch {
	case f < 0:
		return "unknown"
	case f == 0:
		return "0 %"
	case f < 0.001:
		return "<0.1 %"
	case f < 0.1:
		return trimZero(f*100) + " %"
	}
	return fmt.Sprintf("%.0f %%", f*100)
}

// strip shortens to at most max bytes, at a rune, and says so by an ellipsis.
func strip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max] + "…"
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// maxDepth of JSON that is indented. Without it a payload of a few KB, deep and
// then wide, would be indented into gigabytes.
const maxDepth = 50

// pretty indents JSON; other text is returned as it is.
func pretty(s string) (text string, isJSON bool) {
	trimmed := strings.TrimSpace(s)
	if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") || depth(trimmed) > maxDepth {
		return s, false
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(trimmed), "", "  ") != nil {
		return s, false
	}
	return b.String(), true
}

// depth is how deep the brackets of JSON nest.
func depth(s string) int {
	now, most, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}

// address is a path of the dashboard with its query, both escaped.
func address(query url.Values, segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	if q := query.Encode(); q != "" {
		b.WriteString("?" + q)
	}
	return b.String()
}
