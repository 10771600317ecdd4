package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// TestMain has the test's own binary play the roles that benchtasks starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "role" {
		main()
		return
	}
	os.Exit(m.Run())
}

// small is a run of which a measurement takes no time worth naming.
func small(t *testing.T) *options {
	t.Helper()
	// Not t.TempDir: the user that PostgreSQL runs as must reach it.
	dir, err := os.MkdirTemp("", "benchtasks-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return &options{rounds: 1, lasts: 100 * time.Millisecond, concurrency: 20, pool: "prefork", celery: 2,
		dayfly: filepath.Join(dir, "dayfly-binary"), dir: dir, memory: dir, profiles: dir}
}

// TestSubjects: each library is measured in each way it offers, and every task
// is accounted for.
func TestSubjects(t *testing.T) {
	o := small(t)
	root := filepath.Join(need.Root(t), "..", "..") // of Dayfly's module
	if out, err := exec.Command("go", "build", "-C", root, "-o", o.dayfly, "./cmd/dayfly").CombinedOutput(); err != nil {
		t.Fatalf("build dayfly: %v\n%s", err, out)
	}
	for _, s := range subjects {
		t.Run(s.key, func(t *testing.T) {
			switch s.library {
			case "celery":
				o.python = need.Tool(t, filepath.Join(root, ".tools", "venv-benchtasks", "bin", "python"))
				need.Tool(t, "redis-server")
			case "asynq":
				need.Tool(t, "redis-server")
			case "river":
				need.Tool(t, "initdb")
			}
			many := order{Clients: 1, Batch: 100, Fast: true}
			for _, m := range []struct {
				name string
				run  func(string) (turns.Sample, error)
				bulk bool
			}{
				{"end to end", o.endToEnd(order{Do: "enqueue", Clients: 4, Batch: 1}), false},
				{"enqueue", o.enqueue(order{Clients: 2, Batch: 1}), false},
				{"enqueue by 100", o.enqueue(many), true},
			} {
				got, err := m.run(s.name)
				if m.bulk && (s.library == "asynq" || s.library == "celery") {
					if err != turns.ErrSkip {
						t.Errorf("%s: %v, want what is not offered to be skipped", m.name, err)
					}
					continue
				}
				if err != nil || got.Messages == 0 || got.Elapsed <= 0 || got.Client <= 0 {
					t.Errorf("%s: %+v, %v", m.name, got, err)
				}
			}
			w, err := o.latency(s.name)
			if err != nil || w.p50 <= 0 || w.p99 < w.p50 {
				t.Errorf("latency: %+v, %v", w, err)
			}
		})
	}
}

func TestRegister(t *testing.T) {
	path := filepath.Join(t.TempDir(), "register")
	r, err := openRegister(path, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close() //nolint:errcheck // the file goes with the test
	worker, err := openRegister(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer worker.close() //nolint:errcheck // likewise
	begun := time.Now().UnixNano()
	for _, task := range []int{1, 2, 4, 4, 10} {
		if err := worker.begin(task); err != nil {
			t.Fatal(err)
		}
	}
	for _, task := range []int{-1, 0, 11} {
		if worker.begin(task) == nil {
			t.Errorf("task %d has a place", task)
		}
	}
	if n := r.repeats(); n != 1 {
		t.Errorf("%d tasks were begun again, want 1", n)
	}
	if err := r.wait(2, 0); err != nil {
		t.Error(err)
	}
	if err := r.wait(4, 0); err == nil || !strings.Contains(err.Error(), "task 3 has not begun") {
		t.Errorf("with task 3 lost: %v", err)
	}
	if at := r.latest(1, 10); at < begun || at != r.at(10) {
		t.Errorf("the last began at %d, not %d", at, r.at(10))
	}
}

func TestLatencyTable(t *testing.T) {
	asynq, river := "asynq, Redis no", "River, commit on"
	found := map[string][]waits{
		dayfly: {{100, 900}, {300, 1100}, {200, 1000}},
		asynq:  {{400, 2000}, {250, 800}, {300, 900}},
		river:  {{1000, 2000}, {1000, 2000}, {1000, 2000}},
	}
	var out strings.Builder
	writeLatency(&out, []string{dayfly, asynq, river}, found, nil)
	for _, want := range []string{
		"| p50 | 200 (100–300) | 300 (250–400) | 1.0k (1.0k–1.0k) | < every peer, the least of which is asynq, Redis no: 0.667 of it, **met** |\n",
		"| p99 | 1.0k (900–1.1k) | 900 (800–2.0k) | 2.0k (2.0k–2.0k) | < every peer, the least of which is asynq, Redis no: 1.11 of it, **missed** |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
