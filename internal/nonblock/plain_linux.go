//go:build race || !(amd64 || arm64)

package nonblock

import "syscall"

func sendMore(fd uintptr, p []byte) (int, syscall.Errno) { return send(fd, p) }

func sendFile(fd, from uintptr, at *int64, n int) (int, syscall.Errno) {
	n, err := syscall.Sendfile(int(fd), int(from), at, n)
	return max(n, 0), errno(err)
}
