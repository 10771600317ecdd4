package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// register is a file in memory in which the workers of every library and
// language note when they began each task: a number of eight bytes for each,
// nanoseconds since 1970, in the order of the processor. Numbers of tasks begin
// with 1; at 0 stands how many tasks were begun a second time.
type register struct {
	cells []int64
	done  int // all tasks up to this one are known to have begun
}

// openRegister maps the file of a path, which gets room for so many tasks; with
// 0 it is there already.
func openRegister(path string, tasks int) (*register, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if tasks > 0 {
		if err := f.Truncate(int64(tasks+1) * 8); err != nil {
			return nil, err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return &register{cells: unsafe.Slice((*int64)(unsafe.Pointer(&b[0])), len(b)/8)}, nil
}

// begin notes that a task begins now.
func (r *register) begin(task int) error {
	if task < 1 || task >= len(r.cells) {
		return fmt.Errorf("a task has the number %d; the register has 1 to %d", task, len(r.cells)-1)
	}
	if !atomic.CompareAndSwapInt64(&r.cells[task], 0, time.Now().UnixNano()) {
		atomic.AddInt64(&r.cells[0], 1)
	}
	return nil
}

// at is when a task began, 0 if it has not.
func (r *register) at(task int) int64 { return atomic.LoadInt64(&r.cells[task]) }

// wait waits until all tasks up to the last have begun; nothing may come for
// as long as patience.
func (r *register) wait(last int, patience time.Duration) error {
	for end := time.Now().Add(patience); r.done < last; {
		if r.at(r.done+1) != 0 {
			r.done++
			continue
		}
		if time.Now().After(end) {
			return fmt.Errorf("task %d has not begun after %s; of %d before, all have, of %d after it %d",
				r.done+1, patience, r.done, last-r.done-1, r.begun(r.done+2, last))
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// begun is how many of these tasks have.
func (r *register) begun(first, last int) (n int) {
	for i := first; i <= last; i++ {
		if r.at(i) != 0 {
			n++
		}
	}
	return n
}

// latest is when the last of these tasks began.
func (r *register) latest(first, last int) (at int64) {
	for i := first; i <= last; i++ {
		at = max(at, r.at(i))
	}
	return at
}

// repeats is how often a task was begun again.
func (r *register) repeats() int64 { return atomic.LoadInt64(&r.cells[0]) }

func (r *register) close() error {
	return syscall.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&r.cells[0])), len(r.cells)*8))
}
