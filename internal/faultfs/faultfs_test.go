package faultfs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

func create(t *testing.T, s *FS, name, content string) vfs.File {
	t.Helper()
	f, err := s.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		t.Fatal(err)
	}
	return f
}

func content(t *testing.T, s *FS, name string) string {
	t.Helper()
	b, err := vfs.ReadFile(s, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	s := New()
	f := create(t, s, "f", "synced")
	if err := errors.Join(f.Datasync(), s.SyncDir()); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		if got := content(t, s.Crash(rand.New(rand.NewPCG(seed, 0))), "f"); got != "synced" {
			t.Errorf("seed %d: %q", seed, got)
		}
	}
}

// TestCrashLosesAnySubset: of two unsynced sectors, and of two unsynced names,
// each of the four outcomes is found.
func TestCrashLosesAnySubset(t *testing.T) {
	s := New()
	f := create(t, s, "f", "")
	if err := errors.Join(f.Datasync(), s.SyncDir()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte("x"), 2*sector), 0); err != nil {
		t.Fatal(err)
	}
	create(t, s, "a", "")
	create(t, s, "b", "")
	outcomes := map[[4]bool]bool{}
	for seed := range uint64(400) {
		c := s.Crash(rand.New(rand.NewPCG(seed, 0)))
		got := content(t, c, "f") + string(make([]byte, 2*sector))
		names, _ := c.List()
		var o [4]bool
		o[0], o[1] = got[0] == 'x', got[sector] == 'x'
		for _, n := range names {
			o[2], o[3] = o[2] || n == "a", o[3] || n == "b"
		}
		outcomes[o] = true
	}
	if len(outcomes) != 16 {
		t.Errorf("%d different outcomes, want 16", len(outcomes))
	}
}

func TestKillKeepsWhatWasWritten(t *testing.T) {
	s := New()
	create(t, s, "f", "written")
	k := s.Kill()
	if got := content(t, k, "f"); got != "written" {
		t.Errorf("after the process died: %q", got)
	}
	lost := 0
	for seed := range uint64(20) {
		if names, _ := k.Crash(rand.New(rand.NewPCG(seed, 0))).List(); len(names) == 0 {
			lost++
		}
	}
	if lost == 0 {
		t.Error("what was not synced survives a loss of power that follows")
	}
}

// TestFailedSyncForgets: a later sync does not bring to the disk what a failed
// one was for.
func TestFailedSyncForgets(t *testing.T) {
	s := New()
	f := create(t, s, "f", "")
	if err := s.SyncDir(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("lost"), 0); err != nil {
		t.Fatal(err)
	}
	s.SetFault(func(op Op) error {
		if op.Kind == "datasync" && op.N == 0 {
			return ErrInjected
		}
		return nil
	})
	if err := f.Datasync(); !errors.Is(err, ErrInjected) {
		t.Fatalf("error is %v", err)
	}
	if err := f.Datasync(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, s.Crash(rand.New(rand.NewPCG(1, 1))), "f"); got != "" {
		t.Errorf("on the disk is %q", got)
	}
	if got := content(t, s, "f"); got != "lost" {
		t.Errorf("in the page cache is %q", got)
	}
}

func TestShortWriteAndCapacity(t *testing.T) {
	s := New()
	f := create(t, s, "f", "")
	s.SetFault(func(Op) error { return ErrShort })
	if n, err := f.WriteAt([]byte("half"), 0); n != 2 || !errors.Is(err, ErrInjected) {
		t.Errorf("wrote %d, %v; want 2 and the fault", n, err)
	}
	s.SetFault(nil)
	s.SetCapacity(4)
	if _, err := f.WriteAt([]byte("12345"), 0); !errors.Is(err, errNoSpace) {
		t.Errorf("error is %v, want no space", err)
	}
	if _, err := f.WriteAt([]byte("1234"), 0); err != nil {
		t.Error(err)
	}
}

// TestLikeTheMachine does the same to a folder of this machine and to this one.
func TestLikeTheMachine(t *testing.T) {
	onDisk, err := vfs.OS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var logs [][]string
	for _, s := range []vfs.FS{onDisk, New()} {
		var log []string
		note := func(what string, err error) {
			if err != nil {
				what += " failed"
			}
			log = append(log, what)
		}
		f, err := s.Create("a")
		note("create", err)
		_, err = f.WriteAt([]byte("content"), 2)
		note("write", err)
		size, err := f.Size()
		note(string(rune('0'+size)), err)
		b := make([]byte, 20)
		n, err := f.ReadAt(b, 0)
		note(string(b[:n]), err)
		note("sync", f.Datasync())
		_, err = s.Create("a")
		note("create again", err)
		note("rename", s.Rename("a", "b"))
		_, err = s.Open("a")
		note("open the old", err)
		note("rename a missing one", s.Rename("a", "b"))
		note("write whole", vfs.WriteFile(s, "c", []byte("new")))
		note("write whole again", vfs.WriteFile(s, "c", []byte("newer")))
		whole, err := vfs.ReadFile(s, "c", 100)
		note(string(whole), err)
		whole, err = vfs.ReadFile(s, "c", 2)
		note(string(whole), err)
		note("remove", s.Remove("b"))
		note("remove again", s.Remove("b"))
		note("remove if there", vfs.RemoveIfExists(s, "b"))
		lock, err := s.Lock("LOCK")
		note("lock", err)
		_, err = s.Lock("LOCK")
		note("lock again", err)
		if !errors.Is(err, vfs.ErrLocked) {
			t.Errorf("error is %v, want ErrLocked", err)
		}
		note("unlock", lock.Close())
		note("sync names", s.SyncDir())
		if f, err := s.Open("c"); err == nil {
			f.Close()
			log = append(log, "open c")
		}
		f.Close()
		logs = append(logs, log)
	}
	if diff := cmp.Diff(logs[0], logs[1]); diff != "" {
		t.Errorf("(-machine +memory):\n%s", diff)
	}
}
