//go:build linux

package need

import (
	"os"
	"syscall"
	"testing"
)

// Disk returns a folder that is a file system of its own, in memory and as
// small as options say ("size=4m"), until the test ends. Mounting needs root:
// else the test is skipped, or fails under CI.
func Disk(t testing.TB, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "the right to mount a small disk (root)")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		missing(t, "the right to mount a small disk ("+err.Error()+")")
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
