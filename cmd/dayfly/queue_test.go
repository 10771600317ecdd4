package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/queue/archive"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// dayfly is the real binary, as a process of its own.
func dayfly(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Args = append([]string{"dayfly"}, args...)
	return c
}

// backlog is an export of n messages of 8 KiB in two queues.
func backlog(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := archive.NewWriter(&b)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.Begin())
	sent := time.Now().Add(-time.Hour)
	for _, name := range []string{"mail", "orders.fifo"} {
		fifo := strings.HasSuffix(name, ".fifo")
		must(w.Queue(archive.Queue{Name: name, Attributes: driver.Attributes{FIFO: fifo, Visibility: time.Minute, Retention: 24 * time.Hour, MaxMessageSize: 1 << 20}}))
		for i := range n / 2 {
			m := driver.Message{Sent: sent, Body: fmt.Sprintf("%s %d %s", name, i, strings.Repeat("b", 8<<10))}
			if fifo {
				m.GroupID, m.DedupID = fmt.Sprint(i%7), fmt.Sprint(i)
			}
			must(w.Message(archive.Message{Queue: name, Browsed: driver.Browsed{Message: m, State: driver.StateVisible}}))
		}
	}
	_, err := w.End(0, false)
	must(err)
	return b.Bytes()
}

// verified is what `dayfly queue verify --json` says of a whole store.
func verified(t *testing.T, store string) diskqueue.Report {
	t.Helper()
	out, err := dayfly(t, "queue", "verify", "--json", "--store", store).Output()
	if err != nil {
		t.Fatalf("verify: %v\n%s", err, out)
	}
	var r diskqueue.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestQueueImportKilled kills -9 an import after it has read part of its input,
// or all of it: what it left is a whole store with nothing of it or all, and the
// import goes through then.
func TestQueueImportKilled(t *testing.T) {
	const n = 3000
	text := backlog(t, n)
	without := 0
	for _, percent := range []int{1, 40, 80, 99, 100} {
		store := filepath.Join(t.TempDir(), "queue")
		killImport(t, store, text, percent)
		switch r := verified(t, store); {
		case r.Messages == 0 && len(r.Queues) == 0:
			without++
			if out, err := dayflyImport(t, store, text); err != nil {
				t.Fatalf("killed at %d %%; the second try: %v\n%s", percent, err, out)
			}
		case percent < 100:
			t.Errorf("killed at %d %%: there are %d messages", percent, r.Messages)
		}
		if r := verified(t, store); r.Messages != n || len(r.Queues) != 2 {
			t.Errorf("killed at %d %%, then imported: %d messages in %d queues", percent, r.Messages, len(r.Queues))
		}
	}
	if without < 4 {
		t.Errorf("nothing was there after %d kills of 5", without)
	}
}

func dayflyImport(t *testing.T, store string, text []byte) (string, error) {
	t.Helper()
	c := dayfly(t, "queue", "import", "--store", store)
	c.Stdin = bytes.NewReader(text)
	out, err := c.CombinedOutput()
	return string(out), err
}

// killImport kills it once it has taken that much of its input. A pipe holds
// 64 KiB: the rest of what was written has been read.
func killImport(t *testing.T, store string, text []byte, percent int) {
	t.Helper()
	c := dayfly(t, "queue", "import", "--store", store)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(text[:len(text)*percent/100]); err != nil {
		t.Fatal(err)
	}
	if percent == 100 {
		in.Close()
	}
	if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	c.Wait() // the kill is its error
}

// TestQueueImportStopped: Ctrl-C ends an import that waits for more of its input.
func TestQueueImportStopped(t *testing.T) {
	store := filepath.Join(t.TempDir(), "queue")
	text := backlog(t, 200)
	c := dayfly(t, "queue", "import", "--store", store)
	var said bytes.Buffer
	c.Stderr = &said
	in, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err == nil {
		_, err = in.Write(text[:len(text)/2])
	}
	if err == nil {
		err = c.Process.Signal(os.Interrupt)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil || said.String() != "dayfly: stopped; nothing was imported\n" {
		t.Errorf("%v: %s", err, said.String())
	}
	if r := verified(t, store); len(r.Queues) != 0 {
		t.Errorf("there are %d queues", len(r.Queues))
	}
}

// TestQueueFullDisk: an import, and an export, for which the disk has no room
// say so and leave nothing half there; what was there is there.
func TestQueueFullDisk(t *testing.T) {
	disk := need.Disk(t, "size=48m")
	store := filepath.Join(disk, "queue")
	if out, err := dayflyImport(t, store, backlog(t, 100)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	more := bytes.ReplaceAll(backlog(t, 8000), []byte(`"mail"`), []byte(`"post"`))
	c := dayfly(t, "queue", "import", "--add", "--store", store)
	c.Stdin = bytes.NewReader(more)
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no room on disk") || !strings.Contains(string(out), "nothing was imported; make room and try again") {
		t.Errorf("%v\n%s", err, out)
	}
	if r := verified(t, store); r.Messages != 100 || len(r.Queues) != 2 {
		t.Errorf("then there are %d messages in %d queues", r.Messages, len(r.Queues))
	}
	fill(t, filepath.Join(disk, "filler"))
	file := filepath.Join(disk, "queues.jsonl")
	if out, err := dayfly(t, "queue", "export", "--store", store, "-o", file).CombinedOutput(); err == nil || !strings.Contains(string(out), "no space left") {
		t.Errorf("%v\n%s", err, out)
	}
	left, err := filepath.Glob(filepath.Join(disk, "*queues.jsonl*"))
	if hidden, herr := filepath.Glob(filepath.Join(disk, ".queues*")); err != nil || herr != nil || len(left)+len(hidden) > 0 {
		t.Errorf("left behind: %v %v", left, hidden)
	}
	out2, err := dayfly(t, "queue", "export", "--store", store).Output()
	if err != nil || !bytes.Contains(out2, []byte(`"messages":100`)) {
		t.Errorf("export to elsewhere: %v", err)
	}
}

// fill takes all room of a disk.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for zeros := make([]byte, 1<<20); len(zeros) > 0; {
		if _, err := f.Write(zeros); err != nil {
			zeros = zeros[:len(zeros)/2]
		}
	}
}

// TestQueueExportToClosedPipe: who reads the export went away; that is an error.
func TestQueueExportToClosedPipe(t *testing.T) {
	store := filepath.Join(t.TempDir(), "queue")
	if out, err := dayflyImport(t, store, backlog(t, 1000)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := dayfly(t, "queue", "export", "--store", store)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, out, 1000); err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := c.Wait(); err == nil {
		t.Error("an export that nobody read to its end succeeds")
	}
}
