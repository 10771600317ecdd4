package nonblock

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// A File is bytes that the system has in its memory. Sending from there saves
// copying them into it. It is closed when nothing refers to it any more.
type File struct {
	fd   int
	size int64
}

// NewFile makes a File with these bytes.
func NewFile(data []byte) (*File, error) {
	fd, err := unix.MemfdCreate("dayfly", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := &File{fd, int64(len(data))}
	runtime.AddCleanup(f, func(fd int) { syscall.Close(fd) }, fd)
	for at := 0; at < len(data); {
		n, err := syscall.Pwrite(fd, data[at:], int64(at))
		if err != nil && err != syscall.EINTR {
			return nil, os.NewSyscallError("pwrite", err)
		}
		at += max(n, 0)
	}
	return f, nil
}

// Size is how many bytes it has.
func (f *File) Size() int64 { return f.size }

// A Sending is a File on its way, with something before it.
type Sending struct {
	Before []byte // what was not written yet
	File   *File
	at     int64
}

// Write writes what there is room for, and reports whether that is all.
func (s *Sending) Write(fd uintptr) (all bool, err error) {
	defer runtime.KeepAlive(s.File)
	for s.at < s.File.size {
		var n int
		var err syscall.Errno
		if len(s.Before) > 0 {
			n, err = sendMore(fd, s.Before)
		} else {
			n, err = sendFile(fd, uintptr(s.File.fd), &s.at, int(s.File.size-s.at))
		}
		switch {
		case err == syscall.EAGAIN:
			return false, nil
		case err == syscall.EINTR:
		case err != 0:
			return true, os.NewSyscallError("write", err)
		case n == 0:
			return true, os.NewSyscallError("sendfile", syscall.EIO) // it has fewer
		case len(s.Before) > 0:
			s.Before = s.Before[n:]
		}
	}
	return true, nil
}
