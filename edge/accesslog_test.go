package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// A buffer may be written and read at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestAccessLog(t *testing.T) {
	var log buffer
	s := newSite(t, Options{AccessLog: &log})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(404)
		io.WriteString(w, "not here")
	})
	res, _ := s.get(t, "/a%22b?token=secret", "User-Agent", "x\"y\\z", "Referer", "http://r/?token=secret", "Host", "shop.example")
	eventually(t, "written", func() bool { return strings.HasSuffix(log.String(), "\n") })
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the query is in the log: %s", log.String())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(log.String()), &line); err != nil {
		t.Fatalf("%v in %s", err, log.String())
	}
	for field, want := range map[string]any{"id": res.Header.Get("X-Request-Id"), "client": "127.0.0.1", "method": "GET", "proto": "http", "host": "shop.example",
		"path": `/a"b`, "status": 404.0, "bytes": 8.0, "target": "web.1", "agent": `x"y\z`, "referer": "http://r/"} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}
	if ms, ok := line["ms"].(float64); !ok || ms <= 0 || line["first_ms"].(float64) > ms {
		t.Errorf("times %v %v", line["ms"], line["first_ms"])
	}
}

// A blockedWriter takes nothing until it is let.
type blockedWriter struct{ free chan struct{} }

func (w blockedWriter) Write(p []byte) (int, error) {
	<-w.free
	return 0, errors.New("disk full")
}

// A log that cannot be written neither stops requests nor takes memory without
// bound; every lost line is counted.
func TestAccessLogNeverBlocks(t *testing.T) {
	w := blockedWriter{make(chan struct{})}
	l := newAccessLog(w, LogJSON)
	x := &exchange{r: &http.Request{Method: "GET", URL: mustURL("/" + strings.Repeat("a", 1000))}}
	const n = 3 * accessLogRoom / 1000
	for range n {
		l.write(x, "/", 0)
	}
	l.mu.Lock()
	if len(l.buf) > accessLogRoom {
		t.Errorf("%d bytes wait", len(l.buf))
	}
	l.mu.Unlock()
	if l.dropped.Load() == 0 {
		t.Error("nothing was dropped")
	}
	close(w.free)
	l.close()
	if got := l.dropped.Load(); got != n {
		t.Errorf("%d of %d lost lines counted", got, n)
	}
}

func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "a\"b\\c", "\x00\x1f\x7f", "é€😀", "\xff\xc3", "\u2028\u2029\ufffd", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := appendJSONString(nil, s)
		if err := json.Unmarshal(b, &got); err != nil || !utf8.Valid(b) || bytes.ContainsAny(b, "\n\r\x00\x7f") {
			t.Fatalf("%q became %s: %v", s, b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != want {
			t.Errorf("%q became %q", s, got)
		}
	})
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// TestCombinedLog: a line is read by the usual expression for such lines, whatever
// the request holds.
func TestCombinedLog(t *testing.T) {
	var log buffer
	s := newSite(t, Options{AccessLog: &log, AccessLogFormat: LogCombined})
	s.add(t, "web.1", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "12345") })
	s.get(t, "/a%22%0ab%C3%A4?token=secret", "User-Agent", "x\"y\\z \xff", "Referer", "http://r/?token=secret")
	eventually(t, "written", func() bool { return strings.HasSuffix(log.String(), "\n") })
	form := regexp.MustCompile(`^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /a%22%0ab%C3%A4 HTTP/1\.1" 200 5 "http://r/" "x\\x22y\\x5cz \\xff"\n$`)
	if !form.MatchString(log.String()) {
		t.Errorf("%q", log.String())
	}
	if _, err := New(Options{AccessLogFormat: "common"}); err == nil || !strings.Contains(err.Error(), `"common" must be "json" or "combined"`) {
		t.Errorf("a format that is not known: %v", err)
	}
}
