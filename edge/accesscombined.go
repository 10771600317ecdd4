package edge

import (
	"strconv"
	"strings"
	"time"
)

// The forms of an access log.
const (
	LogJSON     = "json"     // an object a line: doc/edge.md
	LogCombined = "combined" // as Apache and nginx write it, for programs that read that
)

// appendCombined appends a line in the combined format. The path has no query, as
// in the other; what could end a field or a line is written as \xHH.
func appendCombined(b []byte, x *exchange, _ string, _ time.Duration) []byte {
	client := x.origin.client
	if client == "" {
		client = "-"
	}
	b = append(append(b, client...), " - - ["...)
	b = x.start.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendQuotable(b, x.r.Method)
	b = appendQuotable(append(b, ' '), x.r.URL.EscapedPath())
	b = appendQuotable(append(b, ' '), x.r.Proto)
	b = strconv.AppendInt(append(b, `" `...), int64(x.status), 10)
	b = strconv.AppendInt(append(b, ' '), x.bytes, 10)
	referer, _, _ := strings.Cut(first(x.r.Header["Referer"]), "?")
	for _, field := range []string{referer, first(x.r.Header["User-Agent"])} {
		if field == "" {
			field = "-"
		}
		b = append(appendQuotable(append(b, ` "`...), field), '"')
	}
	return append(b, '\n')
}

// appendQuotable appends a text that stands between quotes.
func appendQuotable(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	if len(s) > maxLogField {
		s = s[:maxLogField]
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}
