package s3server

import (
	"os"
	"sync"
)

var workingDir sync.Mutex

// inProcessDir runs fn with dir as the process's working directory and sets it
// back. Relative paths used elsewhere in the process meanwhile are looked up in
// dir, so this is the second choice.
func inProcessDir(dir string, fn func() error) error {
	workingDir.Lock()
	defer workingDir.Unlock()
	before, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	err = fn()
	if back := os.Chdir(before); err == nil {
		err = back
	}
	return err
}
