//go:build !unix

package nonblock

import (
	"errors"
	"net"
)

// Possible: the system has such calls.
const Possible = false

// Read is not possible.
func Read(uintptr, []byte) (n int, ok bool, err error) { return 0, true, errors.ErrUnsupported }

// Write is not possible.
func Write(uintptr, []byte) (n int, err error) { return 0, errors.ErrUnsupported }

// Silent is not known.
func Silent(uintptr) bool { return false }

// OpError returns err.
func OpError(_ string, _ net.Conn, err error) error { return err }
