package supervise

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand for an application's process.
func TestMain(m *testing.M) {
	switch os.Getenv("SUPERVISE_TEST_PROCESS") {
	case "":
		os.Exit(m.Run())
	case "web":
		serveWeb()
	case "guard":
		RunGuard(os.Stdin, os.Args[1])
	}
}

func serveWeb() {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(os.Getenv("SICK_FILE")); err == nil {
			http.Error(w, "sick", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	srv := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), Handler: mux}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Println("listening on", os.Getenv("PORT"))
	go func() {
		<-term
		fmt.Println("told to end")
		srv.Shutdown(context.Background()) //nolint:errcheck // ends right after
		os.Exit(0)
	}()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Println(err)
		os.Exit(1)
	}
	select {}
}

// front records what an edge would be told.
type front struct {
	mu      sync.Mutex
	targets map[string]string
	events  []string
	down    map[string]time.Time // of those that fail their checks
}

func (f *front) Down(target string) (time.Time, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down[target], "no answer to GET /healthz within 2s"
}

func (f *front) Add(target, url string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.targets[target] = url
	f.events = append(f.events, "add")
	return nil
}

func (f *front) Drain(_ context.Context, target string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.targets, target)
	f.events = append(f.events, "drain")
	return nil
}

func (f *front) Remove(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.targets, target)
}

type output struct {
	mu    sync.Mutex
	lines []string
}

func (o *output) add(process, stream, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, process+" "+stream+": "+text)
}

// slowStart is enough for a process to start and to be asked about its health, on
// a machine that has much else to do, and is waited for.
const slowStart = 15 * time.Second

func (o *output) wait(t *testing.T, part string) {
	t.Helper()
	eventually(t, "output "+part, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return strings.Contains(strings.Join(o.lines, "\n"), part)
	})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("did not come: %s", what)
}

func fixture(t *testing.T, command string) (Spec, Options, *front, *output) {
	t.Helper()
	f, out := &front{targets: map[string]string{}}, &output{}
	spec := Spec{Name: "p", Command: command, Dir: t.TempDir(), HealthTimeout: time.Minute, StartTimeout: 5 * time.Minute,
		StopTimeout: time.Minute, Instances: 1,
		Env: func(string, int) []string { return os.Environ() }}
	o := Options{Front: f, Output: out.add, BackoffMin: 10 * time.Millisecond, BackoffMax: 50 * time.Millisecond, Mark: t.TempDir()}
	return spec, o, f, out
}

func webFixture(t *testing.T) (Spec, Options, *front, *output) {
	t.Helper()
	spec, o, f, out := fixture(t, os.Args[0])
	spec.HTTP, spec.Health = true, "/healthz"
	sick := filepath.Join(t.TempDir(), "sick")
	spec.Env = func(_ string, port int) []string {
		return append(os.Environ(), "SUPERVISE_TEST_PROCESS=web", "PORT="+strconv.Itoa(port), "SICK_FILE="+sick)
	}
	spec.Dir = filepath.Dir(sick)
	return spec, o, f, out
}

func start(t *testing.T, spec Spec, o Options) *Group {
	t.Helper()
	g, err := Start(spec, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		g.Stop(ctx)
	})
	return g
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestStartServeStop(t *testing.T) {
	spec, o, f, _ := webFixture(t)
	spec.Instances = 2
	g := start(t, spec, o)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := g.Status()
	if len(st) != 2 || st[0].State != Running || st[1].State != Running || len(f.targets) != 2 {
		t.Fatalf("status %+v, targets %v", st, f.targets)
	}
	g.Stop(t.Context())
	for _, s := range st {
		if alive(s.PID) {
			t.Errorf("%s still runs", s.Name)
		}
	}
	if len(f.targets) != 0 || g.Status()[0].State != Stopped {
		t.Errorf("targets %v, status %+v", f.targets, g.Status())
	}
}

func TestRestartIsRolling(t *testing.T) {
	spec, o, f, _ := webFixture(t)
	spec.Instances = 2
	g := start(t, spec, o)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := g.Status()
	if err := g.Restart(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	after := g.Status()
	for i := range before {
		if before[i].PID == after[i].PID || alive(before[i].PID) || !alive(after[i].PID) || after[i].Restarts != 0 {
			t.Errorf("before %+v, after %+v", before[i], after[i])
		}
	}
	if got := strings.Join(f.events, " "); got != "add add add drain add drain" {
		t.Errorf("events: %s", got)
	}
}

func TestRestartKeepsTheOldWhenTheNewIsSick(t *testing.T) {
	t.Parallel()
	spec, o, f, _ := webFixture(t)
	spec.StartTimeout = slowStart // in which the new one is to say that it is sick
	g := start(t, spec, o)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := g.Status()[0]
	if err := os.WriteFile(filepath.Join(spec.Dir, "sick"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := g.Restart(t.Context(), nil)
	var e *StartError
	if !errors.As(err, &e) || !strings.Contains(e.Tried, "503") {
		t.Fatalf("restart of a sick version: %v", err)
	}
	if after := g.Status()[0]; after.PID != before.PID || after.State != Running || len(f.targets) != 1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestCrashIsRestartedAndCounted(t *testing.T) {
	spec, o, f, out := webFixture(t)
	g := start(t, spec, o)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	pid := g.Status()[0].PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another run", func() bool {
		s := g.Status()[0]
		return s.State == Running && s.PID != pid && s.Restarts == 1 && strings.Contains(s.LastExit, "SIGKILL")
	})
	f.mu.Lock()
	if len(f.targets) != 1 {
		t.Errorf("targets %v", f.targets)
	}
	f.mu.Unlock()
	out.wait(t, "was ended by signal 9 (SIGKILL)")
}

func TestAProcessThatExitsAtOnceIsExplained(t *testing.T) {
	spec, o, _, _ := fixture(t, "for i in $(seq 30); do echo line $i; done; echo no settings >&2; exit 3")
	spec.HTTP, spec.Health = true, "/healthz" // else it counts as started when it takes long to exit
	g := start(t, spec, o)
	err := g.Ready(t.Context())
	var e *StartError
	if !errors.As(err, &e) {
		t.Fatalf("%v", err)
	}
	if !strings.HasPrefix(e.Cause, "exited with status 3") || len(e.Output) != 20 || !strings.Contains(strings.Join(e.Output, "\n"), "no settings") ||
		!strings.Contains(e.Tried, "3 times") || !strings.Contains(err.Error(), spec.Command) {
		t.Errorf("%+v", e)
	}
}

func TestAHealthCheckThatNeverAnswersIsExplained(t *testing.T) {
	spec, o, _, _ := fixture(t, "echo up; sleep 60")
	spec.HTTP, spec.Health, spec.StartTimeout = true, "/healthz", 300*time.Millisecond
	g := start(t, spec, o)
	err := g.Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "did not answer its health check within 300ms") || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("%v", err)
	}
}

func TestStopEndsWhatIgnoresItAndItsChildren(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	spec, o, _, _ := fixture(t, "trap '' TERM; sleep 300 & echo $! > "+file+"; while :; do sleep 1; done")
	spec.StopTimeout = 200 * time.Millisecond
	g := start(t, spec, o)
	if err := g.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	grandchild := readPID(t, file)
	leader := g.Status()[0].PID
	g.Stop(t.Context())
	eventually(t, "both gone", func() bool { return !alive(leader) && !running(grandchild) })
}

func TestScale(t *testing.T) {
	spec, o, f, _ := webFixture(t)
	g := start(t, spec, o)
	for _, n := range []int{3, 1, 0, 2} {
		if err := g.Scale(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if got := g.Status(); len(got) != n || len(f.targets) != n {
			t.Fatalf("scaled to %d: %+v, %v", n, got, f.targets)
		}
	}
}

func TestReapEndsWhatAKilledParentLeft(t *testing.T) {
	mark := t.TempDir()
	file := filepath.Join(t.TempDir(), "pid")
	cmd := exec.Command("sh", "-c", "setsid sleep 300 & echo $! > "+file)
	cmd.Env = append(os.Environ(), MarkVariable+"="+mark+"#1")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := readPID(t, file)
	for other, want := range map[string]int{mark + "-other#": 0, mark: 0, mark + "#12": 0} {
		if n := Reap(other); n != want {
			t.Errorf("%s ended %d", other, n)
		}
	}
	if n := Reap(mark + "#"); n != 1 {
		t.Errorf("ended %d", n)
	}
	eventually(t, "gone", func() bool { return !running(pid) })
}

func TestGuardEndsWhatIsLeft(t *testing.T) {
	mark := t.TempDir() + "#7"
	file := filepath.Join(t.TempDir(), "pid")
	cmd := exec.Command("sh", "-c", "setsid sleep 300 & echo $! > "+file)
	cmd.Env = append(os.Environ(), MarkVariable+"="+mark)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SUPERVISE_TEST_PROCESS", "guard")
	g, err := StartGuard([]string{os.Args[0]}, mark)
	if err != nil {
		t.Fatal(err)
	}
	pid := readPID(t, file)
	if !running(pid) {
		t.Fatal("ended too early")
	}
	if err := g.Stop(); err != nil { // closes the pipe, as dayfly's death does
		t.Fatal(err)
	}
	eventually(t, "gone", func() bool { return !running(pid) })
}

func TestMeter(t *testing.T) {
	cmd := exec.Command("sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }() //nolint:errcheck // its end is what is asked for
	var m Meter
	eventually(t, "CPU and memory of a busy loop", func() bool {
		m.Sample([]int{cmd.Process.Pid})
		u := m.Usage(cmd.Process.Pid)
		time.Sleep(50 * time.Millisecond)
		return u.CPU > 0.05 && u.Memory > 4096
	})
	if u := m.Usage(1 << 30); u.CPU != -1 || u.Memory != -1 {
		t.Errorf("unknown process: %+v", u)
	}
}

func TestTheTailKeepsWhatStandardErrorSaid(t *testing.T) {
	c := &child{}
	o := &Options{Output: func(string, string, string) {}}
	for i := range 30 {
		c.output(o, "err", fmt.Sprint("e", i))
	}
	for i := range 30 {
		c.output(o, "out", fmt.Sprint("o", i))
	}
	got := strings.Join(c.lastLines(), " ")
	if want := "e20 e21 e22 e23 e24 e25 e26 e27 e28 e29 o20 o21 o22 o23 o24 o25 o26 o27 o28 o29"; got != want {
		t.Errorf("%s", got)
	}
}

func TestIsSimple(t *testing.T) {
	for command, want := range map[string]bool{
		".dayfly/bin/releases web": true, "gunicorn -b 127.0.0.1:$PORT app:app": true, `node "my server.js"`: true,
		"a && b": false, "A=1 cmd": false, "cd x": false, "cmd > file": false, "exec cmd": false, "$CMD x": false, "": false,
	} {
		if got := isSimple(command); got != want {
			t.Errorf("%q: %v", command, got)
		}
	}
}

func readPID(t *testing.T, file string) int {
	t.Helper()
	var pid int
	eventually(t, "pid file", func() bool {
		text, _ := os.ReadFile(file)
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		pid = n
		return err == nil
	})
	return pid
}

// running is false also for a zombie that nobody has reaped yet.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
