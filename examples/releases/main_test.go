package main

import (
	"bytes"
	"errors"
	"go/build"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"help"}, &out); err != nil || !strings.Contains(out.String(), "releases worker") {
		t.Errorf("help: %v\n%s", err, out.String())
	}
	for _, args := range [][]string{nil, {"serve"}, {"web", "x"}, {"import"}} {
		var bad *usageError
		if err := run(t.Context(), args, &out); !errors.As(err, &bad) {
			t.Errorf("%q: %v, want a usage error", args, err)
		}
	}
}

func TestSettings(t *testing.T) {
	base := []string{"DATABASE_URL=sqlite:////x.db", "QUEUE_DEFAULT_URL=http://127.0.0.1/0/default", "BUCKET_ADVISORIES=advisories", "PORT=9"}
	s, err := readSettings(append(base, "MAIL_FROM=a@example.com", "BUCKET_ADVISORIES_URL=http://b/", "SITE_URL=http://site/"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Mail != "ses:" || s.DigestTo != "a@example.com" || s.BucketURL != "http://b" || s.SiteURL != "http://site" {
		t.Errorf("%+v", s)
	}
	for i := range base[:3] {
		less := append(append([]string{}, base[:i]...), base[i+1:]...)
		name, _, _ := strings.Cut(base[i], "=")
		if _, err := readSettings(less); err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestUsesOnlyWhatAnyApplicationCan: the public packages, nothing internal of
// Dayfly's. Tests may also look for tools (internal/need).
func TestUsesOnlyWhatAnyApplicationCan(t *testing.T) {
	const module = "github.com/dayfly-dev/dayfly/"
	public := []string{"task", "task/payload", "queue", "queue/sqsqueue", "blob", "cache", "cache/memcachedcache", "mail", "forwarded", "assets"}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || strings.HasSuffix(path, "watchtest") {
			return err
		}
		if e.Name() == ".dayfly" || e.Name() == "testdata" {
			return fs.SkipDir
		}
		p, err := build.ImportDir(path, 0)
		var none *build.NoGoError
		if errors.As(err, &none) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, imported := range p.Imports {
			room, ours := strings.CutPrefix(imported, module)
			if !ours || strings.HasPrefix(room, "examples/releases/") {
				continue
			}
			allowed := false
			for _, r := range public {
				allowed = allowed || r == room
			}
			if !allowed {
				t.Errorf("%s imports %s", path, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
