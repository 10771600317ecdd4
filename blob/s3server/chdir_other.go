//go:build !linux

package s3server

import (
	"os"
	"sync"
)

var workingDir sync.Mutex

// inDir runs fn with dir as the process's working directory and sets it back.
// Other systems than Linux have no portable way to do that for one thread:
// relative paths used elsewhere in the process meanwhile are looked up in dir.
func inDir(dir string, fn func() error) error {
	workingDir.Lock()
	defer workingDir.Unlock()
	before, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	defer os.Chdir(before)
	return fn()
}
