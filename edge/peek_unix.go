//go:build unix

package edge

import (
	"errors"
	"syscall"
)

// peekFD looks whether there is something to read without waiting: peeked is
// below zero if there is nothing, zero at the end of the stream.
func (c *conn) peekFD(fd uintptr) bool {
	var b [1]byte
	c.peeked, _, c.peekErr = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	if c.peekErr != nil {
		c.peeked = -1
		if !errors.Is(c.peekErr, syscall.EAGAIN) && !errors.Is(c.peekErr, syscall.EINTR) {
			c.peeked = 0
		}
	}
	return true
}
