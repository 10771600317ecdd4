package s3server

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inDir runs fn with dir as the working directory of fn's own thread alone:
// the thread stops sharing its working directory with the process first, and is
// thrown away afterwards, by returning while locked to it.
func inDir(dir string, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			done <- fmt.Errorf("give a thread its own working directory: %w", err)
			return
		}
		if err := os.Chdir(dir); err != nil {
			done <- err
			return
		}
		done <- fn()
	}()
	return <-done
}
