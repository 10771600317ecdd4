package logs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, dir string) *Hub {
	t.Helper()
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func texts(ls []Line) string {
	var all []string
	for _, l := range ls {
		all = append(all, l.Text)
	}
	return strings.Join(all, " ")
}

func TestLastIsBoundedAndOrdered(t *testing.T) {
	h := open(t, "")
	for i := range keep + 50 {
		h.Add("web.1", "out", fmt.Sprint(i))
	}
	h.Add("web.2", "err", "two")
	h.Add("worker.1", "out", "w")
	if got := texts(h.Last("web", 3)); got != fmt.Sprintf("%d %d two", keep+48, keep+49) {
		t.Errorf("web: %s", got)
	}
	if got := texts(h.Last("web.2", 10)); got != "two" {
		t.Errorf("web.2: %s", got)
	}
	if got := len(h.Last("web", keep*2)); got != keep {
		t.Errorf("%d lines are kept", got)
	}
	if got := texts(h.Last("", 2)); got != "two w" {
		t.Errorf("all: %s", got)
	}
}

func TestASlowFollowerLosesLinesAndIsTold(t *testing.T) {
	h := open(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	lines := h.Follow(ctx, "web", 0)
	for i := range 5000 {
		h.Add("web.1", "out", fmt.Sprint(i))
		h.Add("worker.1", "out", "not asked for")
	}
	for range 4096 {
		<-lines
	}
	h.Add("web.1", "out", "after")
	if l := <-lines; !strings.Contains(l.Text, "904 lines") {
		t.Errorf("%+v", l)
	}
	if l := <-lines; l.Text != "after" {
		t.Errorf("%+v", l)
	}
	cancel()
	if _, ok := <-lines; ok {
		t.Error("still open")
	}
}

func TestFilesAreReadBackAndRotated(t *testing.T) {
	dir := t.TempDir()
	h := open(t, dir)
	h.Add("web.1", "out", "first\r")
	h.files.mu.Lock()
	h.files.open["web"].size = rotateAt + 1
	h.files.mu.Unlock()
	h.Add("web.1", "err", "second")
	h.Add("worker.1", "out", "other")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	// Another kind of log in the folder is not taken for lines of a process.
	if err := os.WriteFile(filepath.Join(dir, "foreign.log"), []byte(`{"time":"2026-01-01T00:00:00Z","status":200}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFiles(dir, "", 10)
	if err != nil || texts(got) != "second other" {
		t.Errorf("%v, %v", got, err)
	}
	old, err := os.ReadFile(filepath.Join(dir, "web.log.1"))
	if err != nil || !strings.Contains(string(old), `"first"`) {
		t.Errorf("%s, %v", old, err)
	}
	if got, err := ReadFiles(dir, "worker.1", 10); err != nil || texts(got) != "other" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAFileThatCannotBeWrittenHoldsNothingUp(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "web.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	h := open(t, dir)
	h.Add("web.1", "out", "still here")
	if got := texts(h.Last("web", 1)); got != "still here" {
		t.Error(got)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

func TestWriterCutsLines(t *testing.T) {
	var got []string
	w := &Writer{Line: func(s string) { got = append(got, s) }}
	for _, part := range []string{"a", "b\nc\n\n", strings.Repeat("x", MaxLine+1), "y\nend"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	w.Flush()
	want := []string{"ab", "c", "", strings.Repeat("x", MaxLine), "xy", "end"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%.100q", got)
	}
}
