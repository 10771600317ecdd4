//go:build unix

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("content"), 0o400); err != nil {
		t.Fatal(err)
	}
	s, err := ReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ReadFile(s, "a", 100); string(b) != "content" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	f, err := s.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("a file opened for reading takes a write")
	}
	_, errCreate := s.Create("b")
	for op, err := range map[string]error{
		"create": errCreate, "rename": s.Rename("a", "b"), "remove": s.Remove("a"), "replace": WriteFile(s, "a", nil),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", op, err)
		}
	}
	lock, err := s.Lock("LOCK")
	if err != nil {
		t.Fatalf("lock in a folder nobody has: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	if names, err := s.List(); len(names) != 1 || names[0] != "a" || err != nil {
		t.Errorf("the folder holds %q, %v", names, err)
	}
}

// TestReadOnlyLock: readers share the folder, and a writer keeps them out as they
// do it.
func TestReadOnlyLock(t *testing.T) {
	dir := t.TempDir()
	writer, err := OS(dir)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := ReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := writer.Lock("LOCK")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Lock("LOCK"); !errors.Is(err, ErrLocked) {
		t.Errorf("beside a writer: %v, want ErrLocked", err)
	}
	w.Close()
	for range 2 {
		r, err := reader.Lock("LOCK")
		if err != nil {
			t.Fatalf("beside a reader: %v", err)
		}
		defer r.Close()
	}
	if _, err := writer.Lock("LOCK"); !errors.Is(err, ErrLocked) {
		t.Errorf("a writer beside readers: %v, want ErrLocked", err)
	}
}

func TestReadOnlyOfNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadOnly(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want ErrNotExist", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOnly(file); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("error is %v, want ENOTDIR", err)
	}
}
