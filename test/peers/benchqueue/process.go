package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program under test. It dies with this one.
type process struct {
	cmd   *exec.Cmd
	log   string // file of what it prints
	ended chan struct{}
}

func startProcess(log string, cmd *exec.Cmd) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	cmd.Stderr = out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log, ended: make(chan struct{})}
	go func() {
		cmd.Wait() //nolint:errcheck // killed at the end; before it, the caller sees it gone
		close(p.ended)
	}()
	return p, nil
}

// kill ends the process with SIGKILL and waits for it.
func (p *process) kill() {
	p.cmd.Process.Kill() //nolint:errcheck // it may have ended
	<-p.ended
}

// until waits for ok, as long as the process runs.
func (p *process) until(patience time.Duration, what string, ok func() bool) error {
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		select {
		case <-p.ended:
			text, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s ended before %s:\n%s", filepath.Base(p.cmd.Path), what, tail(text))
		default:
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s: not %s within %s:\n%s", filepath.Base(p.cmd.Path), what, patience, tail(text))
		}
	}
	return nil
}

func tail(text []byte) []byte { return text[max(0, len(text)-2000):] }

// clockTick of /proc/PID/stat: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpu is the processor time the process has used, proc(5).
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may have blanks; utime and stime are fields 14 and 15.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick
}

// resident is the memory the process holds, bytes.
func (p *process) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// settle waits until none of the processes works any more, 3 s at most: what
// one was asked before is not to slow what another is asked next.
func settle(all []*process) {
	busy := func() (t time.Duration) {
		for _, p := range all {
			t += p.cpu()
		}
		return t
	}
	const look = 50 * time.Millisecond
	last := busy()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		time.Sleep(look)
		now := busy()
		if now-last < clockTick {
			return
		}
		last = now
	}
}

// freePort is a port of loopback that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
