package edge

import (
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name  string
		o     Options
		wrong string // part of the message; "" if nothing is
	}{
		{"nothing", Options{}, ""},
		{"host", Options{Host: "WWW.Example.com"}, ""},
		{"host with port", Options{Host: "www.example.com:80"}, "host"},
		{"host with scheme", Options{Host: "https://www.example.com"}, "host"},
		{"health path", Options{HealthPath: "healthz"}, "health path"},
		{"health path with a line end", Options{HealthPath: "/a\r\nX: y"}, "health path"},
		{"interval", Options{HealthInterval: -1}, "HealthInterval"},
		{"hold", Options{HoldTimeout: time.Microsecond}, "HoldTimeout"},
		{"fall", Options{HealthFall: -1}, "HealthFall"},
		{"body", Options{MaxBody: -1}, "MaxBody"},
		{"prefix", Options{Static: Static{Dir: dir, Prefix: "static"}}, "prefix"},
		{"prefix of all", Options{Static: Static{Dir: dir, Prefix: "/"}}, "prefix"},
		{"clicks without file", Options{Clicks: daily}, "ClickFile"},
		{"click name", Options{Clicks: map[string]Campaign{"a/b": daily["daily"]}, ClickFile: filepath.Join(dir, "c")}, "click name"},
		{"utm", Options{Clicks: map[string]Campaign{"a": {Source: "e mail", Medium: "email", Campaign: "x"}}, ClickFile: filepath.Join(dir, "c")}, "utm source"},
		{"utm missing", Options{Clicks: map[string]Campaign{"a": {Source: "email"}}, ClickFile: filepath.Join(dir, "c")}, "utm"},
	} {
		e, err := New(tc.o)
		if tc.wrong == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
				continue
			}
			e.Close()
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.wrong) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// After Close nothing is held, added or left running (TestMain looks).
func TestClose(t *testing.T) {
	e, err := New(Options{HoldTimeout: time.Hour, AccessLog: &buffer{}, Clicks: daily, ClickFile: filepath.Join(t.TempDir(), "c"), Static: Static{Dir: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Add(Target{Name: "gone", URL: "http://127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		close(done)
	}()
	eventually(t, "held", func() bool { return e.Stats().Held == 1 })
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	if w.Code != 503 {
		t.Errorf("the held request was answered %d", w.Code)
	}
	if err := e.Add(Target{Name: "x", URL: "http://127.0.0.1:1"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Add after Close: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
