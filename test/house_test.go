// Package test holds the end-to-end tests: the real binary, real clients and
// servers, the example application.
package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/app/control"
	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/internal/need"
)

// build compiles a command of this module once a test run.
func build(t *testing.T, pkg string) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	if builds.dir == "" {
		dir, err := os.MkdirTemp("", "dayfly-test-")
		if err != nil {
			t.Fatal(err)
		}
		builds.dir, builds.done = dir, map[string]string{}
	}
	if path := builds.done[pkg]; path != "" {
		return path
	}
	path := filepath.Join(builds.dir, filepath.Base(pkg))
	args := []string{"build", "-o", path}
	if os.Getenv("DAYFLY_TEST_RACE") != "" { // `make race`
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir = need.Root(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	builds.done[pkg] = path
	return path
}

var builds struct {
	sync.Mutex
	dir  string
	done map[string]string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if builds.dir != "" {
		os.RemoveAll(builds.dir)
	}
	os.Exit(code)
}

// house is a running `dayfly up`.
type house struct {
	t      *testing.T
	binary string
	dir    string // of the manifest
	data   string
	cmd    *exec.Cmd
	out    *syncBuffer
	ended  chan struct{}
	env    map[string]string
}

// up starts dayfly on a folder and waits until all of it runs.
func up(t *testing.T, dir, data string, env ...string) *house {
	t.Helper()
	h := start(t, dir, data, env...)
	h.wait()
	return h
}

// start starts dayfly and does not wait.
func start(t *testing.T, dir, data string, env ...string) *house {
	t.Helper()
	h := &house{t: t, binary: build(t, "./cmd/dayfly"), dir: dir, data: data, out: &syncBuffer{}, ended: make(chan struct{})}
	h.cmd = exec.Command(h.binary, "up", dir, "--data", data)
	h.cmd.Env = append(os.Environ(), env...)
	h.cmd.Stdout, h.cmd.Stderr = h.out, h.out
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { h.cmd.Wait(); close(h.ended) }()
	t.Cleanup(func() {
		h.kill()
		if t.Failed() {
			t.Logf("dayfly printed:\n%s", h.out.tail(20_000))
		}
	})
	return h
}

// wait returns when everything runs.
func (h *house) wait() {
	h.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		select {
		case <-h.ended:
			h.t.Fatalf("dayfly ended: %v\n%s", h.cmd.ProcessState, h.out.tail(20_000))
		default:
		}
		if strings.Contains(h.out.String(), " is up (dayfly ") {
			break
		}
		if time.Now().After(end) {
			h.t.Fatalf("not up within %s:\n%s", patience, h.out.tail(20_000))
		}
	}
	h.env = map[string]string{}
	if err := json.Unmarshal([]byte(h.cli("env", "--json")), &h.env); err != nil {
		h.t.Fatal(err)
	}
}

// look reads the state of the processes.
func (h *house) look() control.Status {
	h.t.Helper()
	var s control.Status
	if err := json.Unmarshal([]byte(h.cli("ps", "--json")), &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// cli runs another dayfly command against this one.
func (h *house) cli(args ...string) string {
	h.t.Helper()
	out, err := h.try(args...)
	if err != nil {
		h.t.Fatalf("dayfly %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (h *house) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.binary, append(args, "--data", h.data)...)
	cmd.Dir = h.dir
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if err != nil {
		return out.String() + errOut.String(), err
	}
	return out.String(), nil
}

// down stops dayfly as Ctrl-C does, and expects a clean end.
func (h *house) down() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGINT); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-h.ended:
	case <-time.After(patience):
		h.t.Fatalf("still not stopped:\n%s", h.out.tail(20_000))
	}
	if !h.cmd.ProcessState.Success() {
		h.t.Fatalf("stopped with %v:\n%s", h.cmd.ProcessState, h.out.tail(20_000))
	}
}

// kill ends dayfly with SIGKILL and waits until it is reaped.
func (h *house) kill() {
	h.cmd.Process.Kill() //nolint:errcheck // it may have ended already
	<-h.ended
}

func (h *house) group(name string) dash.Group {
	h.t.Helper()
	for _, g := range h.look().Groups {
		if g.Name == name {
			return g
		}
	}
	h.t.Fatalf("no process group %s", name)
	return dash.Group{}
}

// get fetches an address and expects 200.
func get(t *testing.T, url string, header ...string) string {
	t.Helper()
	body, status := fetch(t, url, header...)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d\n%.2000s", url, status, body)
	}
	return body
}

func fetch(t *testing.T, url string, header ...string) (string, int) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(body), answer.StatusCode
}

// patience is for what has to come, on a machine that has much else to do.
const patience = 5 * time.Minute

// eventually tries until ok returns true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("did not come within %s: %s", patience, what)
		}
	}
}

// server starts a program of others and kills it at the end of the test; it is
// ready when it accepts connections on address. What it prints is returned.
func server(t *testing.T, address string, cmd *exec.Cmd) (out *syncBuffer) {
	t.Helper()
	out = &syncBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	eventually(t, fmt.Sprintf("%s on %s", cmd.Path, address), func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", cmd.Path, out.tail(4000))
		default:
		}
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return out
}

// syncBuffer keeps what a process prints.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.b.Len() > 32<<20 {
		return len(p), nil
	}
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *syncBuffer) tail(n int) string {
	text := s.String()
	return text[max(0, len(text)-n):]
}

// application writes a manifest into a folder of its own.
func application(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dayfly.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// anyPorts is a [listen] table that lets the kernel choose.
const anyPorts = `
[listen]
edge = "127.0.0.1:0"
dashboard = "127.0.0.1:0"
aws = "127.0.0.1:0"
cache = "127.0.0.1:0"
smtp = "127.0.0.1:0"
`
