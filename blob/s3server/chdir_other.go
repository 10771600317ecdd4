//go:build !linux

package s3server

// inDir runs fn with dir as the working directory. There is no portable way to
// change that for one thread only.
func inDir(dir string, fn func() error) error { return inProcessDir(dir, fn) }
