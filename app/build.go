package app

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dayfly-dev/dayfly/app/logs"
	"github.com/dayfly-dev/dayfly/app/supervise"
)

// BuildError: the manifest's build command failed.
type BuildError struct {
	Command string
	Cause   string
	Output  []string // its last lines, at most 20
}

// Error holds the last lines of the build.
func (e *BuildError) Error() string {
	s := "the build failed: it " + e.Cause + "\n  command: " + e.Command
	for _, l := range e.Output {
		s += "\n    | " + l
	}
	return s
}

// build runs the build command. It sees the environment of dayfly and [env].
func (a *App) build(ctx context.Context) error {
	b := a.manifest.Build
	if b.Command == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(b.Timeout))
	defer cancel()
	start := time.Now()
	a.logs.Add("build", "dayfly", b.Command)

	var mu sync.Mutex
	var last []string
	writer := func(stream string) *logs.Writer {
		return &logs.Writer{Line: func(text string) {
			a.logs.Add("build", stream, text)
			mu.Lock()
			defer mu.Unlock()
			if last = append(last, text); len(last) > 20 {
				last = last[1:]
			}
		}}
	}
	out, errOut := writer("out"), writer("err")
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", b.Command)
	cmd.Dir = a.manifest.Dir
	for k, v := range a.manifest.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	for k, v := range a.environ {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Env = append(cmd.Env, supervise.MarkVariable+"="+a.mark)
	cmd.Stdout, cmd.Stderr = out, errOut
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	out.Flush()
	errOut.Flush()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and left a daemon that holds its output; that one ends with dayfly
	}
	if err == nil {
		a.logs.Add("build", "dayfly", "built in "+time.Since(start).Round(10*time.Millisecond).String())
		return nil
	}
	cause := strings.Replace(err.Error(), "exit status", "exited with status", 1)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		cause = fmt.Sprintf("took longer than build.timeout, %s", b.Timeout)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	mu.Lock()
	defer mu.Unlock()
	return &BuildError{Command: b.Command, Cause: cause, Output: last}
}
