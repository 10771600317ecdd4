package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/task"
)

// marked lists the processes that a dayfly on a data folder started, or its
// guard: their environment or arguments say so.
func marked(data string) (found []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		dir := filepath.Dir(path)
		environ, _ := os.ReadFile(path)
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		stat, _ := os.ReadFile(filepath.Join(dir, "stat"))
		if bytes.Contains(stat, []byte(") Z ")) {
			continue // it has ended
		}
		if bytes.Contains(environ, []byte("DAYFLY_SUPERVISED="+data+"#")) || bytes.Contains(command, []byte(data+"#")) {
			found = append(found, filepath.Base(dir)+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

// noneLeft expects that nothing a dayfly started runs any more.
func noneLeft(t *testing.T, data string) {
	t.Helper()
	var left []string
	eventually(t, "no process of the dayfly on "+data+" is left", func() bool {
		left = marked(data)
		return len(left) == 0
	})
}

// TestKilledAtAnyMoment kills dayfly while it builds, starts, runs and stops:
// nothing it started is left, daemons that left their group included, and the
// next start works.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	app := build(t, "./test/app")
	dir := application(t, fmt.Sprintf(`name = "killed"
[build]
command = "setsid sh -c 'sleep 701 & sleep 702' & sleep \"${BUILD_TAKES:-0}\"; touch \"built$BUILD_TAKES\""
[process.web]
command = "%s web"
http = true
health = "/healthz"
instances = { min = 2 }
[process.daemon]
command = "setsid sh -c 'sleep 703 & sleep 704' & trap 'sleep 1; exit' TERM; while :; do sleep 0.1; done"
`, app)+anyPorts)
	data := filepath.Join(dir, ".dayfly")
	for _, when := range []struct {
		name string
		env  string
		act  func(*house)
	}{
		{"build", "BUILD_TAKES=600", func(h *house) {
			eventually(t, "the build runs", func() bool { return len(marked(data)) > 3 })
		}},
		{"start", "", func(*house) { time.Sleep(time.Duration(rand.IntN(600)) * time.Millisecond) }},
		{"running", "", func(h *house) { h.wait() }},
		{"stop", "", func(h *house) {
			h.wait()
			if err := h.cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it stops", func() bool { return strings.Contains(h.out.String(), "stopping:") })
		}},
	} {
		h := start(t, dir, data, when.env)
		when.act(h)
		h.kill()
		noneLeft(t, data)
		if t.Failed() {
			t.Fatalf("while killed during %s", when.name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "built600")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the build went on after dayfly had been killed: %v", err)
	}
	h := up(t, dir, data)
	get(t, h.env["SITE_URL"]+"/page")
	h.down()
	noneLeft(t, data)
}

// TestTwoAtOnce starts five dayfly on one folder: one runs, the others say why not.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	dir := application(t, "name = \"two\"\n[process.p]\ncommand = \"sleep 600\"\n"+anyPorts)
	data := filepath.Join(dir, ".dayfly")
	var all []*house
	for range 5 {
		all = append(all, start(t, dir, data))
	}
	var running []*house
	eventually(t, "one is up, the others have ended", func() bool {
		ended := 0
		running = nil
		for _, h := range all {
			select {
			case <-h.ended:
				ended++
			default:
				running = append(running, h)
			}
		}
		return ended == 4 && strings.Contains(running[0].out.String(), " is up (dayfly ")
	})
	for _, h := range all {
		if h == running[0] {
			continue
		}
		if text := h.out.String(); h.cmd.ProcessState.ExitCode() != 7 || strings.Count(text, "\n") != 1 ||
			!strings.Contains(text, fmt.Sprintf("is in use by another dayfly (process %d)", running[0].cmd.Process.Pid)) {
			t.Errorf("%v: %q", h.cmd.ProcessState, text)
		}
	}
	running[0].down()
	noneLeft(t, data)
}

// TestKilledInstances kills web instances and workers under load. A request
// that may have reached an instance is not sent again, so none is answered
// twice; only those that the killed one had are lost; all tasks run.
func TestKilledInstances(t *testing.T) {
	t.Parallel()
	app := build(t, "./test/app")
	record, tasks := filepath.Join(t.TempDir(), "posts"), filepath.Join(t.TempDir(), "tasks")
	dir := application(t, fmt.Sprintf(`name = "kills"
[process.web]
command = "%[1]s web"
http = true
health = "/healthz"
instances = { min = 2 }
env = { RECORD_FILE = "%[2]s" }
[process.worker]
command = "%[1]s worker"
instances = { min = 2 }
env = { RECORD_FILE = "%[3]s" }
[queue.default]
visibility = "2s"
attempts = 1000
`, app, record, tasks)+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	const posters, perPoster, tasksN, kills = 16, 60, 400, 3
	c := task.NewClient(client(t, h.env), nil)
	var answered sync.Map
	var failed atomic.Int64
	var load sync.WaitGroup
	load.Go(func() {
		for i := range tasksN {
			if _, err := task.EnqueueNamed(t.Context(), c, "record", []byte(`{"key":"task-`+strconv.Itoa(i)+`"}`)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for p := range posters {
		load.Go(func() {
			for i := range perPoster {
				key := fmt.Sprintf("post-%d-%d", p, i)
				answer, err := http.Post(h.env["SITE_URL"]+"/form", "text/plain", strings.NewReader(key))
				if err != nil {
					t.Errorf("the edge itself gave no answer: %v", err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				switch answer.StatusCode {
				case http.StatusOK:
					answered.Store(key, true)
				case http.StatusBadGateway:
					failed.Add(1)
				default:
					t.Errorf("%s: %s", key, answer.Status)
				}
			}
		})
	}
	for range kills {
		for _, name := range []string{"web", "worker"} {
			eventually(t, name+" runs", func() bool { return running(h, name) == 2 })
			if err := syscall.Kill(h.group(name).Processes[rand.IntN(2)].PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	load.Wait()
	posts := readRecord(t, record)
	for key, n := range posts {
		if n > 1 {
			t.Errorf("%s was delivered %d times", key, n)
		}
	}
	answered.Range(func(key, _ any) bool {
		if posts[key.(string)] == 0 {
			t.Errorf("%s was answered and not recorded", key)
		}
		return true
	})
	if n := failed.Load(); n > posters*kills {
		t.Errorf("%d requests failed for %d kills with %d clients", n, kills, posters)
	}
	eventually(t, "every task has run", func() bool { return len(readRecord(t, tasks)) == tasksN })
	t.Logf("%d of %d requests failed in %d kills", failed.Load(), posters*perPoster, kills)
	h.down()
}

// running counts the instances that run.
func running(h *house, name string) (n int) {
	for _, p := range h.group(name).Processes {
		if p.State == "running" && p.PID != 0 {
			n++
		}
	}
	return n
}

// TestHungInstance stops an instance with SIGSTOP: it goes out of rotation, the
// other serves, and the end does not wait for it longer than its time.
func TestHungInstance(t *testing.T) {
	t.Parallel()
	app := build(t, "./test/app")
	dir := application(t, fmt.Sprintf(`name = "hung"
[process.web]
command = "%s web"
http = true
health = "/healthz"
health_timeout = "5s"
stop_timeout = "1s"
instances = { min = 2 }
`, app)+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	pid := h.group("web").Processes[0].PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hung instance is out of rotation", func() bool { return !h.group("web").Processes[0].Healthy })
	for range 10 {
		get(t, h.env["SITE_URL"]+"/page") // the hung one would not answer
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(h.group("web").Processes[1].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	h.down()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("stopping took %s", took)
	}
	noneLeft(t, h.data)
}
