// Package vfs is the little of a file system that a durable store needs, as an
// interface, so that tests can put faults and crashes beneath the store
// (package faultfs). OS is the machine's own.
//
// What an implementation promises is what POSIX and Linux promise, no more:
// written bytes survive the process at once and the machine only after
// Datasync; a created, renamed or removed name survives the machine only after
// SyncDir; after a failed Datasync nothing is known of the bytes it was for.
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// ErrLocked: another process (or another opening in this one) has the folder.
var ErrLocked = errors.New("in use by another process")

// File is open for reading and writing at offsets.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Datasync returns when the bytes written, and the size needed to read them
	// back, are on the disk.
	Datasync() error
	// Size of the file in bytes.
	Size() (int64, error)
}

// FS is one folder and the files in it; names have no separators.
type FS interface {
	// Create makes a new, empty file; it fails with fs.ErrExist if the name is taken.
	Create(name string) (File, error)
	// Open opens an existing file; it fails with fs.ErrNotExist if there is none.
	Open(name string) (File, error)
	// Rename gives a file another name, replacing what had it, in one step.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// List returns the names of all files in ascending order.
	List() ([]string, error)
	// SyncDir returns when names created, renamed and removed are on the disk.
	SyncDir() error
	// Lock takes the folder for this process until closed, by means of a file of
	// that name; it fails with ErrLocked if another has it.
	Lock(name string) (io.Closer, error)
}

// ReadFile returns the whole of a file of at most limit bytes; of a larger one
// it returns the first limit+1 bytes, so that callers can tell.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, 0, limit+1))
}

// WriteFile replaces a file by another with these bytes, so that after a crash
// there is the old or the new one whole. It writes name+".tmp" first.
func WriteFile(fsys FS, name string, data []byte) error {
	tmp := name + ".tmp"
	if err := RemoveIfExists(fsys, tmp); err != nil {
		return err
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Datasync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir()
}

// RemoveIfExists removes a file; that there is none is no error.
func RemoveIfExists(fsys FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
