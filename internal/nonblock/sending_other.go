//go:build !linux

package nonblock

import "errors"

// A File is not possible here.
type File struct{}

// NewFile returns errors.ErrUnsupported.
func NewFile([]byte) (*File, error) { return nil, errors.ErrUnsupported }

// Size is 0.
func (f *File) Size() int64 { return 0 }

// A Sending is not possible here.
type Sending struct {
	Before []byte
	File   *File
}

// Write is not possible.
func (s *Sending) Write(uintptr) (all bool, err error) { return true, errors.ErrUnsupported }
