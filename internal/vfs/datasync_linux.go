package vfs

import (
	"os"
	"syscall"
)

// Datasync leaves out the metadata that fsync writes and reading back does not
// need, which on a file of settled size saves the journal commit.
func (f osFile) Datasync() error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err == nil {
			return nil
		}
		if err != syscall.EINTR {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
	}
}
