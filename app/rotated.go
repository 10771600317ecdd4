package app

import (
	"fmt"
	"os"
	"sync"
)

const (
	rotatedSize = 50 << 20 // bytes of a file before it is rotated
	rotatedKeep = 5        // old files: NAME.1 … NAME.5
)

// rotated is a file that is renamed aside when it is large. It is an io.Writer
// for whole lines.
type rotated struct {
	mu   sync.Mutex
	path string
	f    *os.File
	size int64
}

func openRotated(path string) (*rotated, error) {
	r := &rotated{path: path}
	return r, r.open()
}

func (r *rotated) open() error {
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	r.f, r.size = f, fi.Size()
	return nil
}

// Write appends, rotating first when the file is full.
func (r *rotated) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size > rotatedSize {
		r.f.Close()
		for i := rotatedKeep - 1; i >= 1; i-- {
			os.Rename(fmt.Sprintf("%s.%d", r.path, i), fmt.Sprintf("%s.%d", r.path, i+1)) //nolint:errcheck // there may be none yet
		}
		os.Rename(r.path, r.path+".1") //nolint:errcheck // the lines then follow in the old file
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	n, err := r.f.Write(p)
	r.size += int64(n)
	return n, err
}

// Close closes the file.
func (r *rotated) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.f.Close()
}
