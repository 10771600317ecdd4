package supervise

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Reap ends processes whose environment says that they were started under a
// mark, exactly or, ending in #, with anything after it: what a dayfly that was
// killed could not end itself (a child of a child, which the parent-death
// signal does not reach). It returns how many were ended.
func Reap(mark string) int {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return 0
	}
	want := []byte(MarkVariable + "=" + mark)
	open := bytes.HasSuffix(want, []byte("#"))
	ended := 0
	for _, path := range environs {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(path) // another user's cannot be read
		if err != nil {
			continue
		}
		for _, v := range bytes.Split(environ, []byte{0}) {
			if (bytes.Equal(v, want) || open && bytes.HasPrefix(v, want)) && syscall.Kill(pid, syscall.SIGKILL) == nil {
				ended++
				break
			}
		}
	}
	return ended
}

// A Guard is a small process that outlives dayfly by a moment: when dayfly dies,
// in whatever way, the pipe between them closes and the guard ends what
// carries the mark.
type Guard struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// StartGuard starts a command that calls RunGuard with its standard input and
// the mark, given as its last argument.
func StartGuard(command []string, mark string) (*Guard, error) {
	cmd := exec.Command(command[0], append(command[1:], mark)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends dayfly's group must not end it
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = onSpawner(cmd.Start)
	}
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return &Guard{cmd, pipe}, nil
}

// Stop ends the guard and waits for it. Call it when all processes have ended.
func (g *Guard) Stop() error {
	g.pipe.Close()
	return g.cmd.Wait()
}

// RunGuard waits until in ends and then ends what carries the mark.
func RunGuard(in io.Reader, mark string) {
	io.Copy(io.Discard, in) //nolint:errcheck // any end is the end
	for quiet, round := 0, 0; quiet < 2 && round < 100; round++ {
		quiet++
		if Reap(mark) > 0 {
			quiet = 0 // one of them may have started another meanwhile
		}
		time.Sleep(10 * time.Millisecond)
	}
}
