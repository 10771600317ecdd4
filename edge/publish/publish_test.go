package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/memrecords"
)

// stores are what machines share.
type stores struct {
	bucket  *blob.Bucket
	records driver.Store
}

func newStores(t *testing.T) *stores {
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	return &stores{b, memrecords.New()}
}

func (s *stores) open(t *testing.T, keep int) *Store {
	t.Helper()
	return s.openOver(t, s.records, keep)
}

func (s *stores) openOver(t *testing.T, d driver.Store, keep int) *Store {
	t.Helper()
	st, err := New(Options{Bucket: s.bucket, Prefix: "p/", Records: records.New(d), Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// pages is a source of paths with their contents.
func pages(contents map[string]string) Source {
	return func(_ context.Context, add func(Page, []byte) error) error {
		for _, path := range sortedNames(contents) {
			if err := add(Page{Path: path, Any: true, Status: 200, Type: "text/html"}, []byte(contents[path])); err != nil {
				return err
			}
		}
		return nil
	}
}

func stage(t *testing.T, s *Store, contents map[string]string) Staged {
	t.Helper()
	r, err := s.Stage(t.Context(), Staging{By: "me", From: "test", Source: pages(contents)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func state(t *testing.T, s *Store) *State {
	t.Helper()
	st, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func live(t *testing.T, s *Store, id string) {
	t.Helper()
	if _, err := s.Live(t.Context(), state(t, s), id, "me", false); err != nil {
		t.Fatal(err)
	}
}

// read returns a release's contents by path, as an edge would read them.
func read(t *testing.T, s *Store, id string) map[string]string {
	t.Helper()
	e, ok := state(t, s).Find(id)
	if !ok {
		t.Fatalf("there is no %s", id)
	}
	list, err := s.Pages(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	contents := map[string]string{}
	for _, p := range list {
		data, err := s.Content(t.Context(), p.Hash)
		if err != nil {
			t.Fatal(err)
		}
		contents[p.Key()] = string(data)
	}
	return contents
}

func objects(t *testing.T, s *Store) (n int) {
	t.Helper()
	if err := s.each(t.Context(), "p/", func(*blob.ListObject) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStageLiveBack(t *testing.T) {
	s := newStores(t).open(t, 10)
	one, two := map[string]string{"/": "one", "/a": "same"}, map[string]string{"/": "two", "/a": "same", "/b": "new"}
	first := stage(t, s, one)
	if first.ID != "r1" || first.Uploaded != 2 || first.Pages != 2 || first.Bytes != 7 {
		t.Fatalf("%+v", first)
	}
	second := stage(t, s, two)
	if second.ID != "r2" || second.Uploaded != 2 {
		t.Errorf("only what changed is uploaded: %+v", second)
	}
	if again := stage(t, s, two); again.Uploaded != 0 || again.List != second.List {
		t.Errorf("the same once more: %+v", again)
	}
	live(t, s, "r1")
	live(t, s, "r2")
	st := state(t, s)
	if before, ok := st.Before(); st.Live != "r2" || before != "r1" || !ok || len(st.History) != 2 || st.History[1].By != "me" {
		t.Errorf("%+v", st)
	}
	if diff := cmp.Diff(two, read(t, s, "r2")); diff != "" {
		t.Error(diff)
	}
	live(t, s, "r1")
	live(t, s, "")
	if st = state(t, s); st.Live != "" || st.Seq != 4 {
		t.Errorf("%+v", st)
	}
	live(t, s, "") // so it is already
	if n := state(t, s).Seq; n != 4 {
		t.Errorf("a switch to what is live counts: %d", n)
	}
	if _, err := s.Live(t.Context(), st, "r9", "me", false); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestTwoSwitch has many switch at once, having seen the same: one does, and each
// other is told by whom it was.
func TestTwoSwitch(t *testing.T) {
	s := newStores(t).open(t, 20)
	const n = 8
	for i := range n {
		stage(t, s, map[string]string{"/": fmt.Sprint(i)})
	}
	seen := state(t, s)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, errs[i] = s.Live(context.Background(), seen, fmt.Sprintf("r%d", i+1), fmt.Sprintf("user%d", i+1), false)
		})
	}
	wg.Wait()
	st := state(t, s)
	won := 0
	for i, err := range errs {
		var lost *LostError
		switch {
		case err == nil:
			won++
			if want := fmt.Sprintf("r%d", i+1); st.Live != want {
				t.Errorf("%s was told that it won, and %s is live", want, st.Live)
			}
		case !errors.As(err, &lost) || lost.To != st.Live || !strings.Contains(err.Error(), "by user"+st.Live[1:]):
			t.Error(err)
		}
	}
	if won != 1 || st.Seq != 1 {
		t.Errorf("%d won, %d switches", won, st.Seq)
	}
}

// TestAdd adds to what is live, and refuses to lose what was published since.
func TestAdd(t *testing.T) {
	s := newStores(t).open(t, 10)
	if _, err := s.Stage(t.Context(), Staging{Add: true, Source: pages(nil)}); err == nil {
		t.Error("there was nothing to add to")
	}
	stage(t, s, map[string]string{"/": "one", "/a": "a", "/old/x": "x", "/older": "y"})
	live(t, s, "r1")
	added, err := s.Stage(t.Context(), Staging{Add: true, Remove: []string{"/old/"}, Source: pages(map[string]string{"/a": "b", "/c": "c"})})
	if err != nil || added.Base != "r1" {
		t.Fatal(added, err)
	}
	if diff := cmp.Diff(map[string]string{"/": "one", "/a": "b", "/c": "c", "/older": "y"}, read(t, s, added.ID)); diff != "" {
		t.Error(diff)
	}
	other := stage(t, s, map[string]string{"/": "other"})
	live(t, s, other.ID)
	var base *BaseError
	if _, err := s.Live(t.Context(), state(t, s), added.ID, "me", false); !errors.As(err, &base) {
		t.Error(err)
	}
	if _, err := s.Live(t.Context(), state(t, s), added.ID, "me", true); err != nil {
		t.Error(err)
	}
	live(t, s, other.ID)
	live(t, s, added.ID) // back to what was live loses nothing
}

// TestKeep prunes by number, never what is live or was before it, and sweeps
// what nothing names any more, and nothing else.
func TestKeep(t *testing.T) {
	s := newStores(t).open(t, 2)
	stage(t, s, map[string]string{"/": "1", "/common": "common"})
	stage(t, s, map[string]string{"/": "2", "/common": "common"})
	live(t, s, "r1")
	live(t, s, "r2")
	for i := 3; i < 8; i++ {
		stage(t, s, map[string]string{"/": fmt.Sprint(i), "/common": "common"})
	}
	var kept []string
	for _, e := range state(t, s).Releases {
		kept = append(kept, e.ID)
	}
	if want := []string{"r1", "r2", "r6", "r7"}; !slices.Equal(kept, want) {
		t.Errorf("kept are %v instead of %v", kept, want)
	}
	n, err := s.Sweep(t.Context())
	if err != nil || n != 6 || objects(t, s) != 9 { // 4 lists, 4 contents, the common one
		t.Errorf("%d deleted, %d left, %v", n, objects(t, s), err)
	}
	for _, id := range kept {
		if got := read(t, s, id); got["/"] != id[1:] || got["/common"] != "common" {
			t.Errorf("%s: %v", id, got)
		}
	}
	if err := s.Drop(t.Context(), "r2"); !errors.Is(err, ErrIsLive) {
		t.Error(err)
	}
	if err := s.Drop(t.Context(), "r7"); err != nil {
		t.Error(err)
	}
	if n, err := s.Sweep(t.Context()); err != nil || n != 2 {
		t.Errorf("%d deleted, %v", n, err)
	}
}

// TestSweepWaits has a sweep leave alone what somebody is staging, a stage wait for
// a sweep, and a damaged list keep everything.
func TestSweepWaits(t *testing.T) {
	o := newStores(t)
	s := o.open(t, 10)
	_, err := s.Stage(t.Context(), Staging{Source: func(ctx context.Context, add func(Page, []byte) error) error {
		if err := add(Page{Path: "/", Status: 200}, []byte("x")); err != nil {
			return err
		}
		n, err := o.open(t, 10).Sweep(ctx)
		if n != 0 {
			t.Errorf("%d objects of a stage were deleted", n)
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if read(t, s, "r1")["/"] != "x" || len(state(t, s).Staging) != 0 {
		t.Error("the release is not whole, or its lease is left")
	}
	e, _ := state(t, s).Find("r1")
	if err := o.bucket.WriteAll(t.Context(), s.listKey(e.List), []byte("{}"), nil); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context()); !errors.Is(err, ErrDamaged) || n != 0 || objects(t, s) != 2 {
		t.Errorf("%d deleted, %v", n, err)
	}
	// A sweep that was killed ends by its time.
	if _, err := s.update(t.Context(), func(st *State) error {
		st.Sweeping = &Lease{ID: "killed", Until: time.Now().Add(-time.Second)}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	stage(t, s, map[string]string{"/": "y"})
}

// TestFolder makes pages of files.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"index.html": "home", "about/index.html": "about", "a b/ü.css": "css", ".git/config": "secret",
		".well-known/x": "known", "about/.DS_Store": "x"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	o := FolderOptions{Type: func(name string, _ []byte) string { return filepath.Ext(name) },
		Cache: func(path string) string { return map[string]string{"/a b/ü.css": "max-age=9"}[path] },
		Left:  func(name string) { left = append(left, name) }}
	s := newStores(t).open(t, 10)
	r, err := s.Stage(t.Context(), Staging{Source: Folder(dir, o)})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Pages(t.Context(), r.Entry)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, fmt.Sprint(p.Path, " ", p.Status, " ", p.Type, p.Header["Location"], " ", p.Header["Cache-Control"]))
	}
	want := []string{"/ 200 .html ", "/.well-known/x 200  ", "/a b/ü.css 200 .css max-age=9", "/about 301 /about/ no-cache",
		"/about/ 200 .html ", "/about/index.html 301 /about/ no-cache", "/index.html 301 / no-cache"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string{".git", "about/.DS_Store"}, left); diff != "" {
		t.Error(diff)
	}
	for what, make := range map[string]func(string) error{
		"symbolic link": func(p string) error { return os.Symlink("/etc/passwd", p) },
		"pipe":          func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"rename it":     func(p string) error { return os.WriteFile(p+"?", nil, 0o600) },
		"at most 64":    func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Truncate(p, MaxFile+1<<20)) },
	} {
		odd := t.TempDir()
		if err := make(filepath.Join(odd, "odd")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stage(t.Context(), Staging{Source: Folder(odd, o)}); err == nil || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "odd") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Stage(t.Context(), Staging{Source: Folder(t.TempDir(), o)}); err == nil || !strings.Contains(err.Error(), "nothing to publish") {
		t.Errorf("an empty folder: %v", err)
	}
	if st := state(t, s); len(st.Staging) != 0 || len(st.Releases) != 1 {
		t.Errorf("what failed left %+v", st)
	}
}

// TestSign tells what was signed from all that was not.
func TestSign(t *testing.T) {
	s := newStores(t).open(t, 10)
	stage(t, s, map[string]string{"/": "x"})
	st, now := state(t, s), time.Now()
	token := st.Sign("preview", "r1", now.Add(time.Hour))
	if until, ok := st.Verify("preview", "r1", token, now); !ok || until.Unix() != now.Add(time.Hour).Unix() {
		t.Error("its own is refused")
	}
	at, mac, _ := strings.Cut(token, ".")
	other := *st
	other.Key = newKey()
	for name, ok := range map[string]bool{
		"other release": second(st.Verify("preview", "r2", token, now)),
		"other purpose": second(st.Verify("cookie", "r1", token, now)),
		"expired":       second(st.Verify("preview", "r1", token, now.Add(time.Hour+time.Second))),
		"other time":    second(st.Verify("preview", "r1", "9"+at+"."+mac, now)),
		"cut":           second(st.Verify("preview", "r1", token[:len(token)-1], now)),
		"empty":         second(st.Verify("preview", "r1", "", now)),
		"other key":     second(other.Verify("preview", "r1", token, now)),
		"no key":        second((&State{}).Verify("preview", "r1", (&State{}).Sign("preview", "r1", now.Add(time.Hour)), now)),
	} {
		if ok {
			t.Errorf("%s is good", name)
		}
	}
	if err := s.Rotate(t.Context()); err != nil || second(state(t, s).Verify("preview", "r1", token, now)) {
		t.Errorf("good after the key is another: %v", err)
	}
}

func second(_ time.Time, ok bool) bool { return ok }

func header(kv ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(kv); i += 2 {
		h.Add(kv[i], kv[i+1])
	}
	return h
}
