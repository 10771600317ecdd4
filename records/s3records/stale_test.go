package s3records_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/s3records"
)

// folder is a bucket whose objects a test may see and make older.
type folder struct {
	*testing.T
	dir string
	s   *s3records.Store
}

func newFolder(t *testing.T) *folder {
	dir := t.TempDir()
	s := open(t, bucketAt(t, embeddedIn(t, dir)), "app")
	t.Cleanup(func() { s.Close() })
	return &folder{t, filepath.Join(dir, bucket, "app"), s}
}

// objects are the names below a folder.
func (f *folder) objects(below string) (names []string) {
	f.Helper()
	err := filepath.WalkDir(filepath.Join(f.dir, below), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.Fatal(err)
	}
	return names
}

// age makes all objects below a folder that old.
func (f *folder) age(below string, by time.Duration) {
	f.Helper()
	for _, name := range f.objects(below) {
		then := time.Now().Add(-by)
		if err := os.Chtimes(name, then, then); err != nil {
			f.Fatal(err)
		}
	}
}

func (f *folder) list(mark string) int {
	f.Helper()
	found, next, err := f.s.List(f.Context(), mark, "", 100)
	f.s.Quiet()
	if err != nil || next != "" {
		f.Fatal(next, err)
	}
	return len(found)
}

// TestStaleMarks: an object that a dead process left is removed when it is so old
// that no record can follow it any more, and not before; one that a record stands
// behind stays however old it is.
func TestStaleMarks(t *testing.T) {
	f := newFolder(t)
	put(t, f.s, driver.Record{Key: "live", Mark: "m"})
	dead := put(t, f.s, driver.Record{Key: "dead", Mark: "m"})
	// Its record is removed as if the process had died before the rest.
	for _, name := range f.objects("records") {
		if b, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		} else if strings.Contains(string(b), `"dead"`) {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		age  time.Duration
		left int
	}{{0, 2}, {50 * time.Minute, 2}, {70 * time.Minute, 1}, {70 * 24 * time.Hour, 1}} {
		f.age("marks", c.age)
		if n := f.list("m"); n != 1 {
			t.Errorf("%d listed", n)
		}
		if n := len(f.objects("marks")); n != c.left {
			t.Errorf("of an age of %s there are %d objects, want %d", c.age, n, c.left)
		}
	}
	dead.Version = ""
	put(t, f.s, dead)
	if n := f.list("m"); n != 2 {
		t.Errorf("%d listed", n)
	}
}

// TestMarksLeaveNothing: what tells of a mark goes with it.
func TestMarksLeaveNothing(t *testing.T) {
	f := newFolder(t)
	r := put(t, f.s, driver.Record{Key: "a", Mark: "m"})
	if _, err := f.s.Put(t.Context(), driver.Record{Key: "a", Mark: "n"}); !errors.Is(err, driver.ErrConflict) {
		t.Fatal(err)
	}
	f.s.Quiet()
	if n := len(f.objects("marks")); n != 1 {
		t.Errorf("%d after a conflict", n)
	}
	r.Mark = "n"
	r = put(t, f.s, r)
	r.Mark, r.Expires = "", time.Now().Add(-time.Minute).Truncate(time.Second)
	put(t, f.s, r)
	r = put(t, f.s, driver.Record{Key: "a", Mark: "k", Expires: r.Expires}) // where one expired
	r = put(t, f.s, driver.Record{Key: "a", Mark: "l"})
	f.s.Quiet()
	if n := len(f.objects("marks")); n != 1 {
		t.Errorf("%d after the mark was changed", n)
	}
	if err := f.s.Delete(t.Context(), "a", r.Version); err != nil {
		t.Fatal(err)
	}
	f.s.Quiet()
	if n := len(f.objects("marks")); n != 0 {
		t.Errorf("%d after the record was deleted", n)
	}
}

// TestSweepFollows: a record whose expiry moved without a new object gets one of
// its own time, and what tells of none is removed once it is old.
func TestSweepFollows(t *testing.T) {
	f := newFolder(t)
	at := func(ago time.Duration) time.Time { return time.Now().Add(-ago).Truncate(time.Second) }
	moved := put(t, f.s, driver.Record{Key: "moved", Expires: at(2 * time.Hour)})
	moved.Expires = at(-time.Hour)
	moved = put(t, f.s, moved)
	forever := put(t, f.s, driver.Record{Key: "forever", Expires: at(3 * time.Hour)})
	forever.Expires = time.Time{}
	put(t, f.s, forever)
	swept := func(want, left int) {
		t.Helper()
		n, err := f.s.Sweep(t.Context(), 10)
		if err != nil || n != want {
			t.Fatalf("swept %d, %v, want %d", n, err, want)
		}
		if n := len(f.objects("expiry")); n != left {
			t.Errorf("%d objects tell of expiry, want %d: %q", n, left, f.objects("expiry"))
		}
	}
	if n := len(f.objects("expiry")); n != 2 {
		t.Fatalf("%d objects tell of expiry", n)
	}
	swept(0, 2) // the one has moved, the other may be of a record on its way
	f.age("expiry", 2*time.Hour)
	swept(0, 1)
	if names := f.objects("expiry"); !strings.Contains(names[0], moved.Expires.UTC().Format("20060102T150405Z")) {
		t.Errorf("what tells of the record is %q, and it expires at %s", names, moved.Expires)
	}
	put(t, f.s, driver.Record{Key: "other", Expires: at(2 * time.Hour)})
	swept(1, 1)
	if n := len(f.objects("records")); n != 2 {
		t.Errorf("%d records are left", n)
	}
}

// TestForeignObjects: what is under the prefix and not of our making fails the
// calls that come to it, and no others.
func TestForeignObjects(t *testing.T) {
	f := newFolder(t)
	r := put(t, f.s, driver.Record{Key: "a", Mark: "m", Expires: time.Now().Add(-2 * time.Hour).Truncate(time.Second)})
	put(t, f.s, driver.Record{Key: "b", Expires: r.Expires})
	for _, name := range []string{"marks/m/x", "marks/m/" + strings.Repeat("a", 64) + ".x", "expiry/x", "expiry/20010101T000000Z.x"} {
		if err := os.WriteFile(filepath.Join(f.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.list("m"); n != 0 {
		t.Errorf("%d listed", n)
	}
	for _, name := range f.objects("records") {
		if b, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		} else if strings.Contains(string(b), `"key":"a"`) {
			if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := f.s.Get(t.Context(), "a"); err == nil || errors.Is(err, driver.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if n, err := f.s.Sweep(t.Context(), 10); n != 1 || err == nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if _, err := f.s.Get(t.Context(), "b"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
}
