// Package process runs the programs that are measured beside each other.
package process

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a program under test. It dies with this one.
type Process struct {
	cmd   *exec.Cmd
	Log   string // file of what it prints
	ended chan struct{}
}

// Start runs a command; what it prints goes into the file log.
func Start(log string, cmd *exec.Cmd) (*Process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	cmd.Stderr = out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, Log: log, ended: make(chan struct{})}
	go func() {
		cmd.Wait() //nolint:errcheck // killed at the end; before it, the caller sees it gone
		close(p.ended)
	}()
	return p, nil
}

// Stop asks the process to end by a signal, waits for it, and kills it when it
// has not ended after 10 s.
func (p *Process) Stop(how syscall.Signal) {
	p.cmd.Process.Signal(how) //nolint:errcheck // it may have ended
	p.wait()
}

// wait waits for the end of the process, for 10 s; then it is killed.
func (p *Process) wait() {
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.Kill()
	}
}

// Kill ends the process with SIGKILL and waits for it.
func (p *Process) Kill() {
	p.cmd.Process.Kill() //nolint:errcheck // it may have ended
	<-p.ended
}

// Until waits for ok, as long as the process runs.
func (p *Process) Until(patience time.Duration, what string, ok func() bool) error {
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		select {
		case <-p.ended:
			text, _ := os.ReadFile(p.Log)
			return fmt.Errorf("%s ended before %s:\n%s", filepath.Base(p.cmd.Path), what, Tail(text))
		default:
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(p.Log)
			return fmt.Errorf("%s: not %s within %s:\n%s", filepath.Base(p.cmd.Path), what, patience, Tail(text))
		}
	}
	return nil
}

func Tail(text []byte) []byte { return text[max(0, len(text)-2000):] }

// clockTick of /proc/PID/stat: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU is the processor time that the process and all those below it have used,
// those that ended included, proc(5); some of them, and what is below those, may
// be left out.
func (p *Process) CPU(without ...int) (used time.Duration) {
	all := statuses()
	for pid := range p.below(all, without) {
		used += all[pid].cpu
	}
	return used
}

// below are the process itself and those below it.
func (p *Process) below(all map[int]status, without []int) map[int]bool {
	below := map[int]bool{p.cmd.Process.Pid: true}
	for grown := true; grown; {
		grown = false
		for pid, s := range all {
			if !below[pid] && below[s.parent] && !slices.Contains(without, pid) {
				below[pid], grown = true, true
			}
		}
	}
	return below
}

// status is what /proc says of a process.
type status struct {
	parent int
	cpu    time.Duration // its own, and that of its children that ended
}

func statuses() map[int]status {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	all := make(map[int]status, len(files))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it ended
		}
		// The name in parentheses may have blanks. After it: state, parent, and
		// as fields 14 to 17 utime, stime, cutime and cstime.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 15 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		parent, _ := strconv.Atoi(fields[1])
		ticks := 0
		for _, n := range fields[11:15] {
			v, _ := strconv.Atoi(n)
			ticks += v
		}
		all[pid] = status{parent, time.Duration(ticks) * clockTick}
	}
	return all
}

// Resident is the memory the process holds, bytes.
func (p *Process) Resident() int64 { return resident(p.cmd.Process.Pid) }

// ResidentAll is the memory that the process and all those below it hold, but
// some, bytes. What they share counts once for each.
func (p *Process) ResidentAll(without ...int) (sum int64) {
	for pid := range p.below(statuses(), without) {
		sum += resident(pid)
	}
	return sum
}

func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
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

// Settle waits until none of the processes works any more, 3 s at most: what
// one was asked before is not to slow what another is asked next.
func Settle(all []*Process) {
	busy := func() (t time.Duration) {
		for _, p := range all {
			t += p.CPU()
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

// FreePort is a port of loopback that nobody listens on.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
