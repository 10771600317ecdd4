package app

import (
	"bytes"
	"os"
	"sync"

	"github.com/dayfly-dev/dayfly/app/logs"
)

// rotatedSize is how many bytes a file has before it is rotated.
const rotatedSize = 50 << 20

// rotated is a file that is renamed aside when it is large (logs.Rotate). It is
// an io.Writer for whole lines. A line that cannot be written whole is not
// there at all.
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
	if err != nil {
		n = r.undoHalf(p[:n])
	}
	r.size += int64(n)
	return n, err
}

// undoHalf cuts off the line of which a write that failed left a part, so that
// the next is not joined to it, and returns how many bytes of whole lines stay.
// Where that fails as well, the file is opened again, and a line end makes the
// part a line.
func (r *rotated) undoHalf(written []byte) (whole int) {
	whole = bytes.LastIndexByte(written, '\n') + 1
	if whole == len(written) {
		return whole
	}
	if err := r.f.Truncate(r.size + int64(whole)); err != nil {
		r.f.Write([]byte("\n")) //nolint:errcheck // the disk is full or away: there is nothing else to do
		r.f.Close()
		r.f = nil
	}
	return whole
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
