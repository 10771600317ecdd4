package app

import (
	"os"
	"sync"

	"github.com/dayfly-dev/dayfly/app/logs"
)

// rotatedSize is how many bytes a file has before it is rotated.
const rotatedSize = 50 << 20

// rotated is a file that is renamed aside when it is large (logs.Rotate). It is
// an io.Writer for whole lines; one that fails is opened again at the next.
type rotated struct {
	mu   sync.Mutex
	path string
	f    *os.File // nil: to be opened
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
	if r.f != nil && r.size > rotatedSize {
		r.f.Close()
		r.f = nil
		logs.Rotate(r.path)
	}
	if r.f == nil {
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
	if r.f == nil {
		return nil
	}
	return r.f.Close()
}
