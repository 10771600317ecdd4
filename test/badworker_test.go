package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/task"
)

// newWorkshop is an application with the Go worker of the soak, its data folder
// where data says, and the mail server that counts.
func newWorkshop(t *testing.T, data string, attempts int) *soak {
	t.Helper()
	files := t.TempDir()
	s := &soak{t: t, sink: newSink(t, 1), record: filepath.Join(files, "record"), sent: map[string]*sentTask{}, queues: map[string]*queue.Queue{}}
	s.dir = application(t, fmt.Sprintf(`name = "workshop"
[env]
SOAK_RECORD = "%s"
SOAK_CLOCK = "%s"
SOAK_TYPES = "plain,once,hog"
[process.go]
command = "exec %s"
[queue.default]
visibility = "2s"
attempts = %d
`, s.record, filepath.Join(files, "clock"), build(t, "./test/soak"), attempts)+anyPorts)
	s.h = up(t, s.dir, data, s.env()...)
	s.queues["default"] = client(t, s.h.env)
	return s
}

// give enqueues a task, plain ones with a text of that size, and returns an error
// if it was not taken.
func (s *soak) give(kind, id string, size int) error {
	s.t.Helper()
	args := fmt.Appendf(nil, `{"key":%q,"size":%d,"text":%q}`, id, size, strings.Repeat("x", size))
	_, err := task.EnqueueNamed(s.t.Context(), task.NewClient(s.queues["default"], nil), kind, args, task.ID(id))
	if err == nil {
		s.sent[id] = &sentTask{id: id, kind: kind, queue: "default", key: id}
	}
	return err
}

func (s *soak) atRest() bool {
	d, err := s.queues["default"].Describe(s.t.Context())
	return err == nil && d.Visible+d.Delayed+d.InFlight == 0
}

// TestTaskThatKills: a task whose every run has its worker killed, as one that
// uses up all memory, is a dead letter after its attempts and says what happened;
// the tasks before and after it are done.
func TestTaskThatKills(t *testing.T) {
	t.Parallel()
	s := newWorkshop(t, filepath.Join(t.TempDir(), "data"), 3)
	for i := range 30 {
		kind := "plain"
		if i == 10 { // the others are with no worker that it kills
			eventually(t, "those before the hog are done", func() bool { return s.atRest() })
			kind = "hog"
		}
		if err := s.give(kind, fmt.Sprint("t", i), 10); err != nil {
			t.Fatal(err)
		}
		if kind == "hog" {
			eventually(t, "the hog is dead", func() bool { return s.atRest() })
		}
	}
	eventually(t, "all are done", func() bool { return s.atRest() })
	runs, letters := s.runs(), s.letters()
	for id, x := range s.sent {
		switch {
		case x.kind == "plain" && (len(runs[id]) != 1 || runs[id][0].what != "done"):
			t.Errorf("%s: %s", id, history(runs[id]))
		case x.kind == "hog" && (len(runs[id]) != 3 || len(letters[id]) != 1):
			t.Errorf("the hog ran %d times, and is a dead letter %v", len(runs[id]), letters[id])
		}
	}
	t.Logf("dead letters: %v", letters)
	if p := s.h.group("go").Processes[0]; p.Restarts != 3 || !strings.Contains(p.LastExit, "SIGKILL") {
		t.Errorf("the worker was started again %d times, and its end was %q", p.Restarts, p.LastExit)
	}
	s.h.down()
}

// TestTasksFullDisk fills the disk of the data folder, where queue and ledger
// are, while tasks run: none that was taken is lost, no effect happens twice, and
// with room all go on. What was under way when the ledger could not be written is
// for a person.
func TestTasksFullDisk(t *testing.T) {
	t.Parallel()
	disk := need.Disk(t, "size=64m")
	s := newWorkshop(t, filepath.Join(disk, "data"), 100)
	refused, n := 0, 0
	some := func() {
		for range 20 {
			if n++; s.give([]string{"once", "plain"}[n%2], fmt.Sprint("t", n), n%2*200_000) != nil {
				refused++
			}
		}
	}
	filler := filepath.Join(disk, "filler")
	for range 3 { // three times full
		some()
		fill(t, filler)
		before, began := refused, time.Now()
		for time.Since(began) < 4*time.Second || refused == before { // it stays full, whatever is given back
			if time.Since(began) > patience {
				t.Fatal("the disk is not full for a task")
			}
			some()
			fill(t, filler)
			time.Sleep(100 * time.Millisecond)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it takes tasks again", func() bool { n++; return s.give("once", fmt.Sprint("t", n), 0) == nil })
	eventually(t, "what was taken is done or dead", func() bool { return s.atRest() })
	parked := s.unknown()
	for _, e := range parked {
		decision := "resend"
		if key, _, _ := strings.Cut(strings.TrimPrefix(e.Key, "soak/"), "@"); s.mailed(key) {
			decision = "sent"
		}
		s.h.cli("task", decision, e.Key)
	}
	eventually(t, "what a person decided is done", func() bool { return s.atRest() })
	runs, letters, dead := s.runs(), s.letters(), 0
	for id, x := range s.sent {
		done := false
		for _, r := range runs[id] {
			done = done || r.what == "done"
		}
		accepted, _ := s.sink.accepted(id)
		if len(letters[id]) > 0 {
			dead++
		}
		switch {
		case !done && len(letters[id]) == 0:
			t.Errorf("%s (%s) was taken and is lost: %s", id, x.kind, history(runs[id]))
		case accepted > 1:
			t.Errorf("%d mails of %s", accepted, id)
		case done && x.kind == "once" && accepted == 0:
			t.Errorf("%s is done, and its mail was not sent: %s", id, history(runs[id]))
		}
	}
	t.Logf("%d tasks taken, %d refused; %d effects were parked, %d tasks are dead", len(s.sent), refused, len(parked), dead)
	s.h.down()
}
