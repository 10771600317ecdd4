package assets

import (
	"bytes"
	"html/template"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// replace writes a manifest as the edge does: under another name, then renamed.
func replace(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func TestAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "static.json")
		replace(t, name, `{"css/app.css": "/static/css/app.1.css"}`)
		var log bytes.Buffer
		f, err := Open(name, &Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		is := func(file, want string) {
			t.Helper()
			if got := f.Address(file); got != want {
				t.Errorf("%s is at %s, not %s", file, got, want)
			}
		}
		is("css/app.css", "/static/css/app.1.css")
		is("a b.png", "/static/a%20b.png")
		is("a b.png", "/static/a%20b.png")
		if n := strings.Count(log.String(), "no such file"); n != 1 {
			t.Errorf("told %d times: %s", n, log.String())
		}
		replace(t, name, `{"css/app.css": "/static/css/app.2.css"}`)
		is("css/app.css", "/static/css/app.1.css") // not looked again yet
		time.Sleep(lookEvery)
		is("css/app.css", "/static/css/app.2.css")
		for _, broken := range []string{"{", "[]", ""} {
			replace(t, name, broken)
			time.Sleep(lookEvery)
			is("css/app.css", "/static/css/app.2.css")
		}
		os.Remove(name)
		time.Sleep(lookEvery)
		is("css/app.css", "/static/css/app.2.css")
		if !strings.Contains(log.String(), "static manifest not read") {
			t.Errorf("not told: %s", log.String())
		}
		replace(t, name, `{"css/app.css": "/static/css/app.3.css"}`)
		time.Sleep(lookEvery)
		is("css/app.css", "/static/css/app.3.css")
	})
}

func TestTemplate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "static.json")
	replace(t, name, `{"app.js": "/static/app.1.js"}`)
	f, err := Open(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := template.Must(template.New("").Funcs(f.Funcs()).Parse(`<script src="{{static "app.js"}}"></script>`)).Execute(&page, nil); err != nil {
		t.Fatal(err)
	}
	if page.String() != `<script src="/static/app.1.js"></script>` {
		t.Error(page.String())
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none.json"), nil); err == nil {
		t.Error("a manifest that is not there can be opened")
	}
	if _, err := Open("", &Options{Prefix: "static"}); err == nil {
		t.Error("a prefix without slashes is taken")
	}
	f, err := Open("", &Options{Prefix: "/files/"})
	if err != nil || f.Address("app.css") != "/files/app.css" {
		t.Errorf("without a manifest: %v", err)
	}
}
