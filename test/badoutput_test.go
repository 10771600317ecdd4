package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
)

// TestOutputNobodyReads halts the reader of dayfly's output, and in a second
// run ends it: the site goes on, and Ctrl-C still drains.
func TestOutputNobodyReads(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		app := build(t, "./test/app")
		dir := application(t, fmt.Sprintf(`name = "mute"
[process.web]
command = "%s web"
http = true
health = "/healthz"
[process.chatty]
command = "yes 'a line that nobody reads, and there are many of them' | head -n 60000; exec sleep 600"
`, app)+anyPorts)
		h := &house{t: t, binary: build(t, "./cmd/dayfly"), dir: dir, data: filepath.Join(dir, ".dayfly"), out: &syncBuffer{}, ended: make(chan struct{})}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		h.cmd = exec.Command(h.binary, "up", dir)
		h.cmd.Stdout, h.cmd.Stderr = w, h.out
		if err := h.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		go func() { h.cmd.Wait(); close(h.ended) }()
		t.Cleanup(h.kill)
		if gone {
			r.Close()
		}
		eventually(t, "web runs and the output was written", func() bool {
			if _, err := h.try("ps"); err != nil {
				return false // not that far yet
			}
			return running(h, "web") == 1 && running(h, "chatty") == 1 && strings.Contains(h.cli("logs", "-n", "1", "chatty"), "nobody")
		})
		site := regexp.MustCompile(`Site +(http://\S+)`).FindStringSubmatch(h.cli("ps"))[1]
		for range 20 {
			get(t, site+"/page")
		}
		h.down()
		noneLeft(t, h.data)
	}
}

// TestHugeLine has a process write 100 MB without a line end: it is cut into
// lines, and neither dayfly's memory nor its files grow with it.
func TestHugeLine(t *testing.T) {
	t.Parallel()
	dir := application(t, "name = \"huge\"\n[process.p]\ncommand = \"until [ -e go ]; do sleep 0.1; done; head -c 100000000 /dev/zero | tr '\\\\0' x; echo; echo all written; exec sleep 600\"\n"+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process has written all", func() bool {
		return strings.Contains(h.cli("logs", "-n", "1", "p"), "all written")
	})
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	peak, _ := strconv.Atoi(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(string(status))[1])
	if peak > 400<<10 {
		t.Errorf("dayfly took %d MiB at its peak", peak>>10)
	}
	var size int64
	files, _ := filepath.Glob(filepath.Join(h.data, "logs", "*"))
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil {
			size += fi.Size()
		}
	}
	if size > 70<<20 {
		t.Errorf("the log files hold %d MiB", size>>20)
	}
	t.Logf("100 MB without a line end: peak memory %d MiB, log files %d MiB", peak>>10, size>>20)
	h.down()
}

// TestStubborn ends an application that ignores SIGTERM: the second Ctrl-C
// kills it, daemons included, and says what that means.
func TestStubborn(t *testing.T) {
	t.Parallel()
	dir := application(t, `name = "stubborn"
[process.p]
command = "trap '' TERM INT; setsid sh -c 'trap \"\" TERM; sleep 705' & while :; do sleep 0.1; done"
stop_timeout = "1h"
`+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	pid := h.group("p").Processes[0].PID
	interrupt := func() {
		if err := h.cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	interrupt()
	eventually(t, "it drains", func() bool { return strings.Contains(h.out.String(), "Ctrl-C again kills") })
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("killed without being asked to: %v", err)
	}
	interrupt()
	select {
	case <-h.ended:
	case <-time.After(patience): // its own end may take an hour
		t.Fatal("the second Ctrl-C does not end it")
	}
	if text := h.out.String(); h.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(text, "dayfly: killed; nothing acknowledged is lost") {
		t.Errorf("%v:\n%s", h.cmd.ProcessState, text)
	}
	noneLeft(t, h.data)
}

// TestCommandsAtOnce restarts while a restart runs, and stops while both do.
func TestCommandsAtOnce(t *testing.T) {
	t.Parallel()
	app := build(t, "./test/app")
	dir := application(t, fmt.Sprintf(`name = "busy"
[process.web]
command = "[ -e slow ] && sleep 27; exec %[1]s web"
http = true
health = "/healthz"
instances = { min = 2, max = 4 }
[process.crashing]
command = "[ -e ok ] && exec sleep 600; echo not yet; exit 9"
`, app)+anyPorts)
	ok := filepath.Join(dir, "ok")
	if err := os.WriteFile(ok, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	before := h.group("web")
	var both sync.WaitGroup
	for range 3 {
		both.Go(func() {
			if out, err := h.try("restart", "web"); err != nil || !strings.Contains(out, "restarted web.2") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	both.Go(func() {
		if out, err := h.try("scale", "web=4"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	both.Wait()
	if n := running(h, "web"); n != 4 || h.group("web").Processes[0].PID == before.Processes[0].PID {
		t.Errorf("%d run: %+v", n, h.group("web"))
	}

	// A restart of what crashes says so.
	if err := os.Remove(ok); err != nil {
		t.Fatal(err)
	}
	for range 2 { // of one that runs, and of one that waits to be started again
		var out string
		eventually(t, "a restart of what crashes fails", func() (fails bool) {
			var err error
			out, err = h.try("restart", "crashing")
			return err != nil // it counts as started where it takes half a second to crash
		})
		if !strings.Contains(out, "it exited with status 9") || !strings.Contains(out, "| not yet") {
			t.Error(out)
		}
	}
	if err := os.WriteFile(ok, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := h.try("restart", "crashing"); err != nil {
		t.Errorf("%v: %s", err, out)
	}

	// Down while restarts run and instances are added: they end, and say why.
	h.cli("scale", "web=2")
	if err := os.WriteFile(filepath.Join(dir, "slow"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"restart", "web"}, {"restart", "web"}, {"scale", "web=3"}} {
		both.Go(func() {
			out, err := h.try(args...)
			if err == nil || !strings.Contains(out, "being stopped") && !strings.Contains(out, "ended before it was done") && !strings.Contains(out, "EOF") {
				t.Errorf("%v during down: %v: %s", args, err, out)
			}
		})
	}
	eventually(t, "an instance starts", func() bool { return strings.Contains(strings.Join(marked(h.data), ";"), "sleep 27") })
	for range 2 {
		both.Go(func() {
			// The slower one may find it gone.
			if out, err := h.try("down"); err != nil && !strings.Contains(out, "the application is not running") {
				t.Errorf("down: %v: %s", err, out)
			}
		})
	}
	both.Wait()
	<-h.ended
	if !h.cmd.ProcessState.Success() {
		t.Errorf("%v", h.cmd.ProcessState)
	}
	noneLeft(t, h.data)
}

// TestHostileControl sends the control socket what no dayfly sends.
func TestHostileControl(t *testing.T) {
	t.Parallel()
	dir := application(t, "name = \"c\"\n[process.p]\ncommand = \"sleep 600\"\n[queue.default]\n"+anyPorts)
	// A path that no socket's address can hold.
	data := filepath.Join(t.TempDir(), strings.Repeat("long", 50))
	h := up(t, dir, data)
	c := &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, release, err := control.Socket(data)
		if err != nil {
			return nil, err
		}
		defer release()
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	for _, x := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/", "", 404}, {"GET", "/down", "", 405}, {"DELETE", "/status", "", 405}, {"GET", "/../../etc/passwd", "", 404},
		{"GET", "/logs", "", 400}, {"GET", "/logs?n=-1", "", 400}, {"GET", "/logs?n=99999999999999999999", "", 400},
		{"GET", "/logs?n=3&process=p", "", 200}, {"GET", "/logs?n=3&process=../../etc", "", 404},
		{"POST", "/scale?process=p&n=x", "", 400}, {"POST", "/scale?process=p&n=1000000000", "", 200},
		{"POST", "/restart?process=%00", "", 200}, {"POST", "/restart?process=" + strings.Repeat("x", 60_000), "", 200},
		{"POST", "/run", "", 400}, {"POST", "/run", "null", 422}, {"POST", "/run", `{"task":`, 400}, {"POST", "/run", `[]`, 400},
		{"POST", "/run", `{"task":"x","delay_ns":-1}`, 422}, {"POST", "/run", `{"task":"x","delay_ns":9223372036854775807}`, 200},
		{"POST", "/run", `{"task":"x","queue":"../x"}`, 422}, {"POST", "/run", `{"task":"` + strings.Repeat("x", 9<<20) + `"}`, 422},
		{"POST", "/run", `{"task":"x","args":"` + strings.Repeat("x", 2<<20) + `"}`, 200}, // stored apart
		{"POST", "/run", `{"task":"x","args":"` + strings.Repeat("x", 33<<20) + `"}`, 400},
		{"POST", "/run", strings.Repeat("[", 1<<20), 400},
	} {
		r, err := http.NewRequest(x.method, "http://dayfly"+x.path, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.Do(r)
		if err != nil {
			t.Errorf("%s %.60s: %v", x.method, x.path, err)
			continue
		}
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		answer.Body.Close()
		if answer.StatusCode != x.want || len(text) > 130_000 {
			t.Errorf("%s %.60s %.60s: %s, want %d; %d bytes: %.200s", x.method, x.path, x.body, answer.Status, x.want, len(text), text)
		}
	}
	for _, name := range []string{"p"} {
		if n := running(h, name); n != 1 {
			t.Errorf("%d of %s run", n, name)
		}
	}
	h.down()
}
