package edge

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pageFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sorry.html")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOwnPage(t *testing.T) {
	page := pageFile(t, "<title>{{.Title}}</title><p>{{.Text}}<p>{{.Status}} {{.RequestID}} {{.RetryAfter}} {{.Processed}}")
	s := newSite(t, Options{HoldMax: -1, MaxBody: 1, Pages: Pages{Unavailable: page}})
	res, body := s.get(t, "/", "Accept", "text/html")
	if want := "<title>Back in a moment</title><p>" + pageBusy.text + "<p>503 " + res.Header.Get("X-Request-Id") + " 5 no"; body != want || res.StatusCode != 503 {
		t.Errorf("answered %d %q", res.StatusCode, body)
	}
	if res.Header.Get("Content-Security-Policy") != "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", res.Header)
	}
	if _, body := s.get(t, "/"); !strings.HasPrefix(body, "Back in a moment. ") {
		t.Errorf("who asks for no HTML has %q", body)
	}
	if res, body := s.do(t, "POST", "/", strings.NewReader("form"), "Accept", "text/html"); res.StatusCode != 413 || !strings.Contains(body, "<h1>Too large") {
		t.Errorf("another page is %d %q", res.StatusCode, body)
	}
}

// A problem says whether the request may be sent again.
func TestProblemJSON(t *testing.T) {
	s := newSite(t, Options{ResponseTimeout: patience})
	s.add(t, "web.1", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	for _, method := range []string{"POST", "GET"} {
		res, body := s.do(t, method, "/", strings.NewReader("form"), "Accept", "application/json, */*")
		var p struct {
			Type, Title, Detail, Processed string
			Status                         int
			RequestID                      string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		want := map[string]string{"POST": "unknown", "GET": ""}[method]
		if res.Header.Get("Content-Type") != "application/problem+json" || p.Type != "about:blank" || p.Status != res.StatusCode || p.Processed != want ||
			p.Title == "" || p.Detail == "" || p.RequestID != res.Header.Get("X-Request-Id") {
			t.Errorf("%s: %d %v %s", method, res.StatusCode, res.Header, body)
		}
		eventually(t, "back", func() bool { return s.target(t, "web.1").Healthy })
	}
}

func TestPageOptions(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "empty",
		"{{.Title":                     "{{.Title}}, {{.Text}}",
		"{{.Name}}":                    "{{.Title}}, {{.Text}}",
		strings.Repeat("x", maxPage+1): "1 MiB",
		`{{printf "%2000000d" 1}}`:     "1 MiB",
	} {
		if _, err := New(Options{Pages: Pages{Limited: pageFile(t, text)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := New(Options{Pages: Pages{Maintenance: "/nowhere/page.html"}}); err == nil || !strings.Contains(err.Error(), "/nowhere/page.html") {
		t.Errorf("a page that is not there: %v", err)
	}
}
