package s3server

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inDir runs fn with dir as the working directory of fn's own thread alone:
// the thread stops sharing its working directory with the process first, and is
// thrown away afterwards, by returning while locked to it. Container runtimes may
// forbid that; then the whole process changes for the moment.
func inDir(dir string, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Unshare(unix.CLONE_FS) != nil {
			runtime.UnlockOSThread()
			done <- inProcessDir(dir, fn)
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
