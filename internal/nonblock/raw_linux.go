//go:build amd64 || arm64

package nonblock

import (
	"runtime"
	"syscall"
	"unsafe"
)

func recv(fd uintptr, p []byte, flags uintptr) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		flags|syscall.MSG_DONTWAIT, 0, 0)
	return int(n), err
}

func send(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), err
}

// message is what sendmsg takes.
type message struct {
	header syscall.Msghdr
	pieces [2]syscall.Iovec
}

// send writes some of both pieces. The system looks at m, which is a part of
// something on the heap and does not move.
func (v *Vector) send(fd uintptr) (int, syscall.Errno) {
	m, at := &v.message, 0
	for _, p := range [][]byte{v.First, v.Second} {
		if len(p) > 0 {
			m.pieces[at].Base = unsafe.SliceData(p)
			m.pieces[at].SetLen(len(p))
			at++
		}
	}
	m.header.Iov, m.header.Iovlen = &m.pieces[0], uint64(at)
	n, _, err := syscall.RawSyscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m.header)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	runtime.KeepAlive(v)
	*m = message{} // or it held the pieces
	return int(n), err
}
