package push

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/edge"
)

// TestPush uploads a folder in the order of references, once.
func TestPush(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"index.html": `<link rel=stylesheet href=app.css>`, "app.css": "a{b:url(x.png)}" + strings.Repeat("/* long */", 200), "x.png": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, _, err := edge.ReadStatic(edge.Static{Dir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	address := map[string]string{}
	for _, f := range files {
		address[f.Name] = f.Address
	}
	b := memblob.OpenBucket(nil)
	defer b.Close()
	push := func(o Options, present int, want ...string) {
		t.Helper()
		o.Key = "site/"
		r, err := Push(t.Context(), b, files, &o)
		if err != nil || r.Present != present {
			t.Errorf("%d present, %v", r.Present, err)
		}
		var got []string
		for _, x := range r.Uploaded {
			got = append(got, strings.TrimPrefix(x.Key, "site/static/"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	order := []string{address["x.png"], address["app.css"], address["index.html"], "x.png", "app.css", "index.html"}
	push(Options{DryRun: true}, 0, order...)
	push(Options{}, 0, order...)
	push(Options{}, 6)
	push(Options{Siblings: true}, 6, address["app.css"]+".br", address["app.css"]+".gz")
	push(Options{Force: true}, 0, order...)
	a, err := b.Attributes(t.Context(), "site/static/"+address["app.css"]+".br")
	if err != nil || a.ContentEncoding != "br" || a.CacheControl != immutable || a.ContentType != "text/css; charset=utf-8" {
		t.Errorf("%+v, %v", a, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.png"), []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	if files, _, err = edge.ReadStatic(edge.Static{Dir: dir}, nil); err != nil {
		t.Fatal(err)
	}
	order = nil
	for _, f := range files {
		order = append(order, f.Address)
	}
	push(Options{}, 0, append(slices.Clone(order), "x.png", "app.css", "index.html")...)
}

func TestParseTarget(t *testing.T) {
	for target, want := range map[string]string{"s3://b": "b ", "s3://b/": "b ", "s3://b/x/y/": "b x/y/",
		"b": "", "s3://": "", "s3:///x": "", "s3://b/../x": "", "s3://b?x": "", "https://b": ""} {
		bucket, key, err := ParseTarget(target)
		if want == "" && err == nil || want != "" && (err != nil || bucket+" "+key != want) {
			t.Errorf("%s: %q %q %v", target, bucket, key, err)
		}
	}
}
