package archive

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/edge/versions"
)

// made are versions of files by name and content.
func made(contents map[string]string) map[string]*versions.Version {
	files := map[string]*versions.File{}
	for name, content := range contents {
		files[name] = versions.Read(name, "/static/", []byte(content))
	}
	return versions.Build(files, nil)
}

func list(all map[string]*versions.Version) (l []*versions.Version) {
	for _, v := range all {
		l = append(l, v)
	}
	return l
}

func count(t *testing.T, b *blob.Bucket) (n int) {
	t.Helper()
	for _, err := range all(b) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func all(b *blob.Bucket) func(func(*blob.ListObject, error) bool) {
	return func(yield func(*blob.ListObject, error) bool) {
		for l := b.List(nil); ; {
			o, err := l.Next(context.Background())
			if err != nil || !yield(o, nil) {
				return
			}
		}
	}
}

func TestKept(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	a := New(b, "static/", time.Hour)
	ctx := t.Context()
	files := made(map[string]string{"css/app.css": "a{b:url(x.png)}", "css/x.png": "x", "a.js": "import './b.js'", "b.js": "import './a.js'", "empty": ""})
	if err := a.Put(ctx, list(files)); err != nil {
		t.Fatal(err)
	}
	other := New(b, "static/", time.Hour) // of another node
	for name, v := range files {
		if data, err := other.Get(ctx, v.Address); err != nil || string(data) != string(v.Data) {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, address := range []string{"css/app.0123456789abcdef.css", "css/app.css", "../static/" + files["a.js"].Address, "", "x\x00.0123456789abcdef.css"} {
		if _, err := other.Get(ctx, address); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, damage := range []string{"y", "", "xx"} {
		address := files["css/x.png"].Address
		sum := map[string]string{sumKey: strings.Repeat("0", 64)}
		if err := b.WriteAll(ctx, "static/"+address, []byte(damage), &blob.WriterOptions{Metadata: sum}); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Get(ctx, address); !errors.Is(err, ErrDamaged) {
			t.Errorf("damaged to %q: %v", damage, err)
		}
	}
}

// TestAge has an object stay as long as somebody puts it, and go one and a half
// times the time to keep after.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memblob.OpenBucket(nil)
		defer b.Close()
		ctx, keep := t.Context(), 24*time.Hour
		old, kept := made(map[string]string{"a.txt": "old"}), made(map[string]string{"a.txt": "new"})
		before, after := New(b, "s/", keep), New(b, "s/", keep)
		if err := errors.Join(b.WriteAll(ctx, "elsewhere", nil, nil), before.Put(ctx, list(old)), after.Put(ctx, list(kept))); err != nil {
			t.Fatal(err)
		}
		deleted := 0
		for hour := range 24 * 7 {
			n, err := after.Look(ctx)
			if err := errors.Join(err, after.Put(ctx, list(kept))); err != nil {
				t.Fatal(err)
			}
			deleted += n
			if _, err := after.Get(ctx, old["a.txt"].Address); (err == nil) != (hour <= 36) {
				t.Fatalf("hour %d: %v", hour, err)
			}
			if _, err := after.Get(ctx, kept["a.txt"].Address); err != nil {
				t.Fatalf("hour %d: %v", hour, err)
			}
			time.Sleep(time.Hour)
		}
		if deleted != 1 || count(t, b) != 2 {
			t.Errorf("%d deleted, %d left", deleted, count(t, b))
		}
	})
}

// TestPutAgain has what somebody deleted come back with the next look, and what
// is there not be written again.
func TestPutAgain(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	ctx := t.Context()
	files := made(map[string]string{"a.txt": "a", "b.txt": "b"})
	if err := New(b, "", time.Hour).Put(ctx, list(files)); err != nil {
		t.Fatal(err)
	}
	key := files["a.txt"].Address
	attributes, err := b.Attributes(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	a := New(b, "", time.Hour)
	if err := b.Delete(ctx, files["b.txt"].Address); err != nil {
		t.Fatal(err)
	}
	_, err = a.Look(ctx)
	if err := errors.Join(err, a.Put(ctx, list(files))); err != nil {
		t.Fatal(err)
	}
	if again, err := b.Attributes(ctx, key); err != nil || !again.ModTime.Equal(attributes.ModTime) {
		t.Errorf("what was there is written again: %v", err)
	}
	if count(t, b) != 2 {
		t.Error("what was deleted is not written again")
	}
}

// TestStopped has a Put that ends at any object be finished by the next.
func TestStopped(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	contents := map[string]string{}
	for i := range 50 {
		contents[filepath.Join("d", fmt.Sprint(i))] = fmt.Sprint(i)
	}
	files := list(made(contents))
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	a := New(b, "", time.Hour)
	if err := a.Put(stopped, files); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := a.Put(t.Context(), files); err != nil || count(t, b) != 50 {
		t.Errorf("%d kept, %v", count(t, b), err)
	}
}
