//go:build unix

// Package nonblock reads and writes sockets that do not block, by their
// descriptor, from inside the callbacks of a syscall.RawConn. It keeps nothing
// and bounds nothing.
//
// A call that cannot wait need not be announced to Go's scheduler, which is a
// part of what a small request costs; where the system allows it, it is not.
package nonblock

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Possible: the system has such calls.
const Possible = true

// Read reads what there is. Without an error and with ok false there is nothing
// yet. At the end of the stream the error is io.EOF.
func Read(fd uintptr, p []byte) (n int, ok bool, err error) {
	for {
		n, err := recv(fd, p, 0)
		switch {
		case err == 0 && n > 0:
			return n, true, nil
		case err == 0:
			return 0, true, io.EOF
		case err == syscall.EAGAIN:
			return 0, false, nil
		case err != syscall.EINTR:
			return 0, true, os.NewSyscallError("read", err)
		}
	}
}

// Write writes as much of p as there is room for.
func Write(fd uintptr, p []byte) (n int, err error) {
	for n < len(p) {
		m, err := send(fd, p[n:])
		switch {
		case err == syscall.EAGAIN:
			return n, nil
		case err == syscall.EINTR:
		case err != 0:
			return n, os.NewSyscallError("write", err)
		default:
			n += m
		}
	}
	return n, nil
}

// A Vector is two pieces that are written one after the other, by one call where
// the system has such. It is used for one write after another.
type Vector struct {
	First, Second []byte // what was not written yet
	message       message
}

// Write writes what there is room for, and reports whether that is all.
func (v *Vector) Write(fd uintptr) (all bool, err error) {
	for len(v.First)+len(v.Second) > 0 {
		n, err := v.send(fd)
		switch {
		case err == syscall.EAGAIN:
			return false, nil
		case err == syscall.EINTR:
		case err != 0:
			return true, os.NewSyscallError("write", err)
		default:
			v.sent(n)
		}
	}
	return true, nil
}

// sent takes away n bytes.
func (v *Vector) sent(n int) {
	first := min(n, len(v.First))
	v.First, v.Second = v.First[first:], v.Second[n-first:]
}

// Silent reports whether a stream is open and has nothing to read.
func Silent(fd uintptr) bool {
	var b [1]byte
	_, err := recv(fd, b[:], syscall.MSG_PEEK)
	return err == syscall.EAGAIN || err == syscall.EINTR
}

// OpError says of a connection what Read or Write said of its descriptor, as
// net.Conn says it. io.EOF stays itself.
func OpError(op string, c net.Conn, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
