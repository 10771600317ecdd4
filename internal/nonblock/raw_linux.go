//go:build (amd64 || arm64) && !race

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
	switch {
	case len(v.Second) == 0:
		return send(fd, v.First)
	case len(v.First) == 0:
		return send(fd, v.Second)
	}
	m := &v.message
	for i, p := range [2][]byte{v.First, v.Second} {
		m.pieces[i].Base = unsafe.SliceData(p)
		m.pieces[i].SetLen(len(p))
	}
	m.header.Iov, m.header.Iovlen = &m.pieces[0], uint64(len(m.pieces))
	n, _, err := syscall.RawSyscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m.header)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	runtime.KeepAlive(v)
	*m = message{} // or it held the pieces
	return int(n), err
}

// sendMore is send of what something follows.
func sendMore(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL|msgMore, 0, 0)
	return int(n), err
}

const msgMore = 0x8000

func sendFile(fd, from uintptr, at *int64, n int) (int, syscall.Errno) {
	sent, _, err := syscall.RawSyscall6(syscall.SYS_SENDFILE, fd, from, uintptr(unsafe.Pointer(at)), uintptr(n), 0, 0)
	return int(sent), err
}
