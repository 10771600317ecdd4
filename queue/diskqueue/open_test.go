package diskqueue

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil); !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error is %v, want ErrLocked naming the folder", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err = Open(dir, nil); err != nil {
		t.Fatalf("after closing: %v", err)
	}
	e.Close()
}

func TestForeignFolders(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"newer format":     {"FORMAT": "dayfly queue store, format 2\n"},
		"unknown format":   {"FORMAT": "something else\n"},
		"somebody's files": {"notes.txt": "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if e, err := Open(dir, nil); err == nil {
				e.Close()
				t.Error("opened")
			} else {
				t.Log(err)
			}
			for file, content := range files {
				if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(b) != content {
					t.Errorf("%s was changed: %q, %v", file, b, err)
				}
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for _, size := range []int{-1, 4096, 4<<20 + 1, 2 << 30} {
		if e, err := Open(t.TempDir(), &Options{SegmentSize: size}); err == nil {
			e.Close()
			t.Errorf("SegmentSize %d accepted", size)
		}
	}
}

// TestSegmentSizeMayChange: a store is opened with another size of segments.
func TestSegmentSizeMayChange(t *testing.T) {
	fsys := written(t, 100, true)
	for _, size := range []int{64 << 10, 16 << 10, 128 << 10} {
		e, err := open(fsys, smallOptions(size))
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, err := e.Send(t.Context(), "q", benchMessages[:1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
