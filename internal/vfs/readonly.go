//go:build unix

package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ReadOnly is the folder dir of this machine for reading alone, also on a disk
// that takes no writes. What would change anything fails with EROFS. Lock takes
// the folder together with other readers, against those who would change it; if
// there is no such file nobody has the folder, and none is made.
func ReadOnly(dir string) (FS, error) {
	fi, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	}
	return readOnlyFS{osFS(dir)}, nil
}

type readOnlyFS struct{ osFS }

func (d readOnlyFS) refuse(op, name string) error {
	return &fs.PathError{Op: op, Path: d.path(name), Err: syscall.EROFS}
}

func (d readOnlyFS) Create(name string) (File, error) { return nil, d.refuse("create", name) }

func (d readOnlyFS) Open(name string) (File, error) { return d.open(name, os.O_RDONLY) }

func (d readOnlyFS) Rename(from, _ string) error { return d.refuse("rename", from) }

func (d readOnlyFS) Remove(name string) error { return d.refuse("remove", name) }

func (d readOnlyFS) SyncDir() error { return nil } // nothing was changed

func (d readOnlyFS) Lock(name string) (io.Closer, error) {
	f, err := os.Open(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(nil), nil
	}
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", d.path(name), err)
	}
	return f, nil
}
