package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// Reap ends processes that carry mark in their environment and are not below
// this process: what a dayfly that was killed could not end itself (a child of
// a child, which the parent-death signal does not reach). Call it while holding
// the lock that mark stands for. It returns how many were ended.
func Reap(mark string) int {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return 0
	}
	want := []byte(MarkVariable + "=" + mark)
	ended := 0
	for _, path := range environs {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(path) // another user's cannot be read
		if err != nil {
			continue
		}
		for _, v := range bytes.Split(environ, []byte{0}) {
			if bytes.Equal(v, want) && syscall.Kill(pid, syscall.SIGKILL) == nil {
				ended++
				break
			}
		}
	}
	return ended
}
