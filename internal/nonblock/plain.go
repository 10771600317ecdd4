//go:build unix && (race || !linux || !(amd64 || arm64))

package nonblock

import (
	"errors"
	"syscall"
)

// These calls tell the race detector, too, what follows upon what.

func recv(fd uintptr, p []byte, flags uintptr) (int, syscall.Errno) {
	n, _, err := syscall.Recvfrom(int(fd), p, int(flags)|syscall.MSG_DONTWAIT)
	return max(n, 0), errno(err)
}

func send(fd uintptr, p []byte) (int, syscall.Errno) {
	n, err := syscall.Write(int(fd), p)
	return max(n, 0), errno(err)
}

func errno(err error) syscall.Errno {
	var e syscall.Errno
	if err != nil && !errors.As(err, &e) {
		e = syscall.EIO
	}
	return e
}

type message struct{}

func (v *Vector) send(fd uintptr) (int, syscall.Errno) {
	if len(v.First) > 0 {
		return send(fd, v.First)
	}
	return send(fd, v.Second)
}
