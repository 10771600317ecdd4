package diskqueue

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// TestFormat1 opens stores that a program of format 1 left, one by closing it
// and one by being killed, and again as format 2. Both had six messages sent to
// "first": one deleted, one moved to "dead", one delayed, three in flight. The
// bubble's clock is before their time, so nothing ever expires.
func TestFormat1(t *testing.T) {
	for _, end := range []string{"closed", "killed"} {
		t.Run(end, func(t *testing.T) {
			dir := t.TempDir()
			unpack(t, "testdata/format1-"+end+".tar.gz", dir)
			synctest.Test(t, func(t *testing.T) {
				for range 3 {
					e, err := Open(dir, nil)
					if err != nil {
						t.Fatal(err)
					}
					checkFormat1(t, e)
					if err := e.Close(); err != nil {
						t.Fatal(err)
					}
				}
			})
			if b, err := os.ReadFile(filepath.Join(dir, formatName)); err != nil || string(b) != formatLine+"2\n" {
				t.Errorf("FORMAT is %q, %v", b, err)
			}
		})
	}
}

func checkFormat1(t *testing.T, e *Engine) {
	t.Helper()
	ctx := context.Background()
	first, err := e.Describe(ctx, "first")
	if err != nil {
		t.Fatal(err)
	}
	want := driver.Attributes{Visibility: 12 * time.Hour, Retention: 14 * 24 * time.Hour, MaxMessageSize: 1 << 20,
		DeadLetter: &driver.DeadLetter{Queue: "dead", MaxReceives: 1}}
	if diff := cmp.Diff(want, first.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if first.Tags["k"] != "v" || first.Visible != 0 || first.Delayed != 1 || first.InFlight != 3 {
		t.Errorf("first is %+v", first)
	}
	dead, err := e.Browse(ctx, "dead", "", 10)
	if err != nil || len(dead) != 1 {
		t.Fatalf("dead has %v, %v", dead, err)
	}
	if m := dead[0]; m.Body != "message 1" || m.GroupID != "g" || m.Source != "first" || m.Receives != 1 || m.State != driver.StateVisible {
		t.Errorf("dead has %+v", m)
	}
	if _, err := e.Describe(ctx, "gone"); !errors.Is(err, driver.ErrQueueNotFound) {
		t.Errorf("the deleted queue: %v", err)
	}
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(h.Name)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
