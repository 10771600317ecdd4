package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"github.com/dayfly-dev/dayfly/edge/versions/archive"
)

// node serves a folder with one style sheet and its picture, and shares a bucket.
func node(t *testing.T, b *blob.Bucket, picture string, log *slog.Logger) *site {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "css/app.css", []byte("a { background: url(../img/a.png) }"))
	write(t, dir, "img/a.png", []byte(picture))
	return newSite(t, Options{Log: log, Static: Static{Dir: dir, Archive: archive.New(b, "static/", time.Hour)}})
}

// TestTwoNodes has two nodes with different versions answer for both, in each
// order of starting, and after one is gone.
func TestTwoNodes(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	a, c := node(t, b, "old", nil), node(t, b, "new", nil)
	for _, asked := range []*site{a, c} {
		for _, of := range []*site{a, c} {
			for name, address := range of.StaticManifest() {
				_, want := of.get(t, address)
				res, body := asked.get(t, address)
				if res.StatusCode != 200 || body != want || res.Header.Get("Cache-Control") != immutable[0] || !strings.Contains(res.Header.Get("Content-Type"), map[string]string{"css/app.css": "text/css", "img/a.png": "image/png"}[name]) {
					t.Errorf("%s: %d %v", address, res.StatusCode, res.Header)
				}
				head, _ := asked.do(t, "HEAD", address, nil)
				if head.StatusCode != 200 || head.ContentLength != int64(len(want)) {
					t.Errorf("HEAD %s: %d", address, head.StatusCode)
				}
			}
		}
	}
	if a.StaticManifest()["css/app.css"] == c.StaticManifest()["css/app.css"] {
		t.Error("the style sheet's address does not follow the picture's")
	}
	_, body := c.get(t, "/static/css/app.css")
	if want := filepath.Base(c.StaticManifest()["img/a.png"]); !strings.Contains(body, want) {
		t.Errorf("%s does not name %s", body, want)
	}
	next := node(t, b, "newest", nil)
	if res, _ := next.get(t, a.StaticManifest()["css/app.css"]); res.StatusCode != 200 {
		t.Errorf("a node after both answers %d", res.StatusCode)
	}
}

// TestArchiveBounds has what is not there be asked for once, and what is damaged
// or cannot be read be neither served nor called missing.
func TestArchiveBounds(t *testing.T) {
	b := memblob.OpenBucket(nil)
	var log lockedBuffer
	s := node(t, b, "x", slog.New(slog.NewTextHandler(&log, nil)))
	const address = "img/b.0123456789abcdef.png"
	status := func(want int) {
		t.Helper()
		if res, _ := s.get(t, "/static/"+address); res.StatusCode != want || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("answered %d %v", res.StatusCode, res.Header)
		}
	}
	status(404)
	if err := b.WriteAll(t.Context(), "static/"+address, []byte("damaged"), &blob.WriterOptions{Metadata: map[string]string{"sha256": "0"}}); err != nil {
		t.Fatal(err)
	}
	status(404) // remembered
	s.setup().static.lookup.mu.Lock()
	clear(s.setup().static.lookup.missing)
	s.setup().static.lookup.mu.Unlock()
	status(503)
	b.Close()
	status(503)
	for name, own := range s.StaticManifest() {
		if res, _ := s.get(t, own); res.StatusCode != 200 {
			t.Errorf("%s of its own answers %d without the archive", name, res.StatusCode)
		}
	}
	if !strings.Contains(log.String(), "cannot be read from the object store") {
		t.Errorf("not told: %s", log.String())
	}
	// A node that starts without it serves all the same.
	alone := node(t, b, "x", slog.New(slog.NewTextHandler(&log, nil)))
	if res, _ := alone.get(t, alone.StaticManifest()["css/app.css"]); res.StatusCode != 200 {
		t.Errorf("answered %d", res.StatusCode)
	}
	if !strings.Contains(log.String(), "cannot be kept in the object store") {
		t.Errorf("not told: %s", log.String())
	}
}

// TestPutBeforePublished looks into the bucket at the moment at which a manifest
// appears: what it names is there.
func TestPutBeforePublished(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	dir, manifest := t.TempDir(), filepath.Join(t.TempDir(), "static.json")
	write(t, dir, "a.css", []byte("0"))
	s := newSite(t, Options{Static: Static{Dir: dir, ManifestFile: manifest, Rescan: time.Millisecond, Archive: archive.New(b, "", time.Hour)}})
	named := regexp.MustCompile(`/static/(a\.[0-9a-f]{16}\.css)`)
	seen := map[string]bool{}
	for i := range 20 {
		write(t, dir, "a.css", fmt.Appendf(nil, "version %d", i))
		eventually(t, "a new version", func() bool {
			data, err := os.ReadFile(manifest)
			if err != nil {
				t.Fatal(err)
			}
			m := named.FindSubmatch(data)
			if m == nil {
				t.Fatalf("manifest %q", data)
			}
			if ok, err := b.Exists(t.Context(), string(m[1])); err != nil || !ok {
				t.Fatalf("%s is published and not kept: %v", m[1], err)
			}
			fresh := !seen[string(m[1])]
			seen[string(m[1])] = true
			return fresh
		})
	}
	_ = s
}

// stuck is a bucket whose answers come when the test says so, whatever their
// context. What is put in is lost.
type stuck struct {
	driver.Bucket
	answer chan struct{}
}

func (*stuck) ErrorCode(error) gcerrors.ErrorCode { return gcerrors.Unknown }
func (*stuck) Close() error                       { return nil }
func (*stuck) ListPaged(context.Context, *driver.ListOptions) (*driver.ListPage, error) {
	return nil, errors.New("stuck")
}
func (s *stuck) Attributes(context.Context, string) (*driver.Attributes, error) {
	<-s.answer
	return nil, errors.New("stuck")
}

// TestCloseWaits has lookups under way in the archive when the edge closes: it
// waits for them, and begins no other.
func TestCloseWaits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		bucket := &stuck{answer: make(chan struct{})}
		b := blob.NewBucket(bucket)
		defer b.Close()
		o := Static{Dir: dir, Rescan: -1, Archive: archive.New(b, "", time.Hour)}
		if err := o.normalize(); err != nil {
			t.Fatal(err)
		}
		s, err := openStatic(o, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		for i := range 3 {
			go s.fetch(ctx, fmt.Sprintf("a.000000000000000%d.css", i)) //nolint:errcheck // it is left
		}
		synctest.Wait()
		leave() // clients do not wait for the end
		closed := false
		go func() { s.close(); closed = true }()
		synctest.Wait()
		if closed {
			t.Error("closed while the archive was asked")
		}
		close(bucket.answer)
		synctest.Wait()
		if !closed {
			t.Error("not closed when all was answered")
		}
		if _, err := s.fetch(t.Context(), "b.0000000000000000.css"); !errors.Is(err, errBusy) {
			t.Errorf("asked when closed: %v", err)
		}
	})
}

// TestManyFiles has a folder that is too large be served in part, in time, and be
// looked at again at little cost.
func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 3000 {
		write(t, dir, fmt.Sprintf("d%d/f%d.txt", i%50, i), []byte("x"))
	}
	s := newSite(t, Options{Static: Static{Dir: dir, MaxFiles: 2000, Rescan: -1}})
	if n := len(s.StaticManifest()); n != 2000 {
		t.Errorf("%d files", n)
	}
	table := s.setup().static.table.Load()
	if changed, err := s.setup().static.scan(); changed || err != nil || s.setup().static.table.Load() != table {
		t.Errorf("changed: %v, %v", changed, err)
	}
}

func BenchmarkRescan(b *testing.B) {
	dir := b.TempDir()
	for i := range 20_000 {
		write(b, dir, fmt.Sprintf("d%d/f%d.txt", i%200, i), []byte("x"))
	}
	e, err := New(Options{Static: Static{Dir: dir, Rescan: -1}})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for b.Loop() {
		if _, err := e.setup().static.scan(); err != nil {
			b.Fatal(err)
		}
	}
}

// lockedBuffer is written by the edge and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
