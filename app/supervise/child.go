package supervise

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dayfly-dev/dayfly/app/logs"
)

// tailLines is how many last lines explain a failure.
const tailLines = 20

// child is one run of one operating-system process.
type child struct {
	name    string
	pid     int
	port    int
	target  string
	started time.Time
	leads   bool // the shell replaced itself by the command: signals go to it alone
	exited  chan struct{}
	cause   string // set before exited is closed

	mu   sync.Mutex
	tail []outputLine // the last of each stream, in the order they came
}

type outputLine struct{ stream, text string }

// startChild starts the command. Its group dies with this process.
func startChild(spec *Spec, o *Options, name string) (*child, error) {
	c := &child{name: name, exited: make(chan struct{})}
	if spec.HTTP {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		c.port = port
		c.target = fmt.Sprintf("%s:%d", name, port)
	}
	script := spec.Command
	if c.leads = isSimple(script); c.leads {
		script = "exec " + script
	}
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Dir = spec.Dir
	cmd.Env = append(spec.Env(name, c.port), MarkVariable+"="+o.Mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out := &logs.Writer{Line: func(l string) { c.output(o, "out", l) }}
	errOut := &logs.Writer{Line: func(l string) { c.output(o, "err", l) }}
	cmd.Stdout, cmd.Stderr = out, errOut
	// A grandchild may hold the pipes open after the process has ended.
	cmd.WaitDelay = time.Second
	c.started = time.Now()
	if err := onSpawner(cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.pid = cmd.Process.Pid
	go c.wait(cmd, out, errOut)
	return c, nil
}

// wait reaps the process, ending first what is left of its group: until the
// leader is reaped its number cannot name another group.
func (c *child) wait(cmd *exec.Cmd, out, errOut *logs.Writer) {
	for {
		err := unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = syscall.Kill(-c.pid, syscall.SIGKILL)
	err := cmd.Wait()
	out.Flush()
	errOut.Flush()
	c.cause = exitCause(cmd.ProcessState, err) + " after " + time.Since(c.started).Round(10*time.Millisecond).String()
	close(c.exited)
}

func exitCause(s *os.ProcessState, err error) string {
	if s == nil {
		return fmt.Sprintf("could not be waited for (%v)", err)
	}
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return fmt.Sprintf("was ended by signal %d (%s)", ws.Signal(), unix.SignalName(ws.Signal()))
	}
	return fmt.Sprintf("exited with status %d", s.ExitCode())
}

func (c *child) output(o *Options, stream, line string) {
	c.mu.Lock()
	c.tail = append(c.tail, outputLine{stream, line})
	if len(c.tail) > tailLines {
		i := c.leastTelling()
		c.tail = append(c.tail[:i], c.tail[i+1:]...)
	}
	c.mu.Unlock()
	o.Output(c.name, stream, line)
}

// leastTelling is the index of the line to forget: the oldest, but not one of
// the last few of standard error. The two streams come by two pipes, so what a
// process says last may arrive before a long output it wrote earlier.
func (c *child) leastTelling() int {
	spare := -tailLines / 2
	for _, l := range c.tail {
		if l.stream == "err" {
			spare++
		}
	}
	for i, l := range c.tail {
		if l.stream != "err" || spare > 0 {
			return i
		}
	}
	return 0
}

func (c *child) lastLines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := make([]string, len(c.tail))
	for i, l := range c.tail {
		lines[i] = l.text
	}
	return lines
}

// stop asks the process to end, waits, and then ends it.
func (c *child) stop(patience time.Duration, hurry <-chan struct{}) {
	pid := c.pid
	if !c.leads {
		pid = -pid // a shell does not pass signals on
	}
	select {
	case <-c.exited:
		return
	default:
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.exited:
		return
	case <-timer.C:
	case <-hurry:
	}
	select {
	case <-c.exited:
	default:
		_ = syscall.Kill(-c.pid, syscall.SIGKILL)
		<-c.exited
	}
}

// isSimple says whether a shell command is one command with words and quotes
// only, so that the shell may replace itself by it.
func isSimple(command string) bool {
	command = strings.TrimSpace(command)
	if strings.ContainsAny(command, ";|&<>()`\n{}!") {
		return false
	}
	first, _, _ := strings.Cut(command, " ")
	if strings.ContainsAny(first, "='\"$\\") {
		return false // an assignment before the command, or something the shell must work out
	}
	switch first {
	case "cd", "if", "for", "while", "case", "until", "set", "export", "exec", "eval", "source", ".", "trap", "ulimit", "umask", "command", "time", "exit", "":
		return false
	}
	return true
}

func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// The parent-death signal is sent when the thread that started the child ends,
// so children are started by one thread that lives as long as the program.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

func onSpawner(f func() error) error {
	result := make(chan error, 1)
	spawner() <- func() { result <- f() }
	return <-result
}
