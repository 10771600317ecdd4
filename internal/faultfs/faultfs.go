// Package faultfs is a folder in memory that fails and crashes as disks do, for
// tests of durable stores. It implements vfs.FS.
//
// It keeps what a machine keeps: for each file the bytes programs see (the
// page cache) beside the bytes on the disk, and for the folder the names
// programs see beside those on the disk. Crash makes the folder a machine finds
// after it lost its power. A fault is an error given to one operation.
package faultfs

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

// sector is the unit a disk writes whole or not at all, in bytes.
const sector = 512

// Op is one operation about to be done.
type Op struct {
	N    int    // counted from 0 since the fault was set
	Kind string // "create", "open", "rename", "remove", "list", "syncdir", "lock", "read", "write", "datasync"
	Name string // of the file; "" for the folder
}

// ErrInjected is the error tests give to operations.
var ErrInjected = errors.New("injected fault")

var errNoSpace = error(syscall.ENOSPC)

// ErrShort makes a write store its first half and then fail with ErrInjected.
var ErrShort = errors.New("injected short write")

// FS is the folder. Its methods may be called from any number of goroutines.
type FS struct {
	mu       sync.Mutex
	seen     map[string]*inode // names as programs see them
	disk     map[string]*inode // names on the disk
	pending  []func(map[string]*inode)
	fault    func(Op) error
	ops      int
	capacity int64 // bytes; 0: unlimited
	locked   bool
}

type inode struct {
	cache []byte
	disk  []byte
	dirty sectors // of cache that are not on the disk
}

// sectors is a set of sectors, with bounds so that few of many are found fast.
type sectors struct {
	in     []bool
	lo, hi int64 // none below lo nor from hi on
}

func (d *sectors) add(lo, hi int64) {
	if int64(len(d.in)) < hi {
		d.in = append(d.in, make([]bool, hi-int64(len(d.in)))...)
	}
	for n := lo; n < hi; n++ {
		d.in[n] = true
	}
	if d.lo == d.hi {
		d.lo, d.hi = lo, hi
		return
	}
	d.lo, d.hi = min(d.lo, lo), max(d.hi, hi)
}

func (d *sectors) all(visit func(n int64)) {
	for n := d.lo; n < d.hi; n++ {
		if d.in[n] {
			visit(n)
		}
	}
}

func (d *sectors) clear() {
	if d.lo < d.hi {
		clear(d.in[d.lo:d.hi])
	}
	d.lo, d.hi = 0, 0
}

func (d *sectors) clone() sectors { return sectors{slices.Clone(d.in), d.lo, d.hi} }

var _ vfs.FS = (*FS)(nil)

// New returns an empty folder.
func New() *FS {
	return &FS{seen: map[string]*inode{}, disk: map[string]*inode{}}
}

// SetFault has f asked before each operation from now on; an error it returns
// is the operation's. A datasync that fails so also forgets which bytes were
// not yet on the disk, as Linux does: a later one does not bring them there.
func (s *FS) SetFault(f func(Op) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.ops = f, 0
}

// Ops returns the number of operations since the fault was set.
func (s *FS) Ops() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops
}

// SetCapacity bounds the bytes of all files together; writes beyond fail with
// ENOSPC. 0 lifts the bound.
func (s *FS) SetCapacity(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capacity = bytes
}

// Used returns the bytes of all files together.
func (s *FS) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used()
}

func (s *FS) used() (n int64) {
	for _, f := range s.seen {
		n += int64(len(f.cache))
	}
	return n
}

// Crash returns the folder as it may be found after power was lost now: of the
// sectors written and of the changes of names that were not synced any subset
// arrived. The folder itself goes on unharmed.
func (s *FS) Crash(rng *rand.Rand) *FS {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := maps.Clone(s.disk)
	for _, change := range s.pending {
		if rng.IntN(2) == 0 {
			change(names)
		}
	}
	c := New()
	c.capacity = s.capacity
	for _, name := range slices.Sorted(maps.Keys(names)) {
		f := names[name]
		disk := slices.Clone(f.disk)
		f.dirty.all(func(n int64) {
			if rng.IntN(2) == 0 {
				disk = copySector(disk, f.cache, n)
			}
		})
		c.seen[name] = &inode{cache: slices.Clone(disk), disk: disk}
	}
	c.disk = maps.Clone(c.seen)
	return c
}

// Kill returns the folder as it is found after the process died and the
// machine did not: everything written is there, synced or not.
func (s *FS) Kill() *FS {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := New()
	c.capacity = s.capacity
	copies := map[*inode]*inode{}
	clone := func(f *inode) *inode {
		if copies[f] == nil {
			copies[f] = &inode{cache: slices.Clone(f.cache), disk: slices.Clone(f.disk), dirty: f.dirty.clone()}
		}
		return copies[f]
	}
	for name, f := range s.seen {
		c.seen[name] = clone(f)
	}
	for name, f := range s.disk {
		c.disk[name] = clone(f)
	}
	if len(s.pending) > 0 {
		final := maps.Clone(c.seen)
		c.pending = append(c.pending, func(m map[string]*inode) { clear(m); maps.Copy(m, final) })
	}
	return c
}

// Corrupt changes bytes of a file, in the page cache and on the disk.
func (s *FS) Corrupt(name string, change func(data []byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.seen[name]
	f.cache = change(slices.Clone(f.cache))
	f.disk = slices.Clone(f.cache)
}

func copySector(to, from []byte, n int64) []byte {
	start := n * sector
	end := min(start+sector, int64(len(from)))
	if int64(len(to)) < end {
		to = append(to, make([]byte, end-int64(len(to)))...)
	}
	copy(to[start:end], from[start:end])
	return to
}

// begin counts an operation and returns its fault. The lock is held.
func (s *FS) begin(kind, name string) error {
	op := Op{N: s.ops, Kind: kind, Name: name}
	s.ops++
	if s.fault == nil {
		return nil
	}
	if err := s.fault(op); err != nil {
		return &fs.PathError{Op: kind, Path: name, Err: err}
	}
	return nil
}

// change does a change of names where programs see it, and keeps it for the disk.
func (s *FS) change(c func(map[string]*inode)) {
	c(s.seen)
	s.pending = append(s.pending, c)
}

// Create implements vfs.FS.
func (s *FS) Create(name string) (vfs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin("create", name); err != nil {
		return nil, err
	}
	if s.seen[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f := &inode{}
	s.change(func(m map[string]*inode) { m[name] = f })
	return &file{s: s, name: name, inode: f}, nil
}

// Open implements vfs.FS.
func (s *FS) Open(name string) (vfs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin("open", name); err != nil {
		return nil, err
	}
	f := s.seen[name]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{s: s, name: name, inode: f}, nil
}

// Rename implements vfs.FS.
func (s *FS) Rename(from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin("rename", from); err != nil {
		return err
	}
	f := s.seen[from]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	s.change(func(m map[string]*inode) { delete(m, from); m[to] = f })
	return nil
}

// Remove implements vfs.FS.
func (s *FS) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin("remove", name); err != nil {
		return err
	}
	if s.seen[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	s.change(func(m map[string]*inode) { delete(m, name) })
	return nil
}

// List implements vfs.FS.
func (s *FS) List() ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin("list", ""); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(s.seen)), nil
}

// SyncDir implements vfs.FS.
func (s *FS) SyncDir() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin("syncdir", ""); err != nil {
		return err
	}
	s.disk, s.pending = maps.Clone(s.seen), nil
	return nil
}

// Lock implements vfs.FS.
func (s *FS) Lock(name string) (io.Closer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin("lock", name); err != nil {
		return nil, err
	}
	if s.locked {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: vfs.ErrLocked}
	}
	s.locked = true
	return unlock{s}, nil
}

type unlock struct{ s *FS }

func (u unlock) Close() error {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	u.s.locked = false
	return nil
}

type file struct {
	s    *FS
	name string
	*inode
}

// ReadAt implements vfs.File.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if err := f.s.begin("read", f.name); err != nil {
		return 0, err
	}
	if off >= int64(len(f.cache)) {
		return 0, io.EOF
	}
	n := copy(p, f.cache[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements vfs.File.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	err := f.s.begin("write", f.name)
	if errors.Is(err, ErrShort) {
		p = p[:len(p)/2]
		err = &fs.PathError{Op: "write", Path: f.name, Err: ErrInjected}
	} else if err != nil {
		return 0, err
	}
	if grow := off + int64(len(p)) - int64(len(f.cache)); grow > 0 {
		if f.s.capacity > 0 && f.s.used()+grow > f.s.capacity {
			return 0, &fs.PathError{Op: "write", Path: f.name, Err: errNoSpace}
		}
		f.cache = append(f.cache, make([]byte, grow)...)
	}
	copy(f.cache[off:], p)
	f.dirty.add(off/sector, (off+int64(len(p))+sector-1)/sector)
	return len(p), err
}

// Datasync implements vfs.File.
func (f *file) Datasync() error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if err := f.s.begin("datasync", f.name); err != nil {
		f.dirty.clear()
		return err
	}
	f.dirty.all(func(n int64) { f.disk = copySector(f.disk, f.cache, n) })
	f.dirty.clear()
	return nil
}

// Size implements vfs.File.
func (f *file) Size() (int64, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	return int64(len(f.cache)), nil
}

// Close implements vfs.File.
func (f *file) Close() error { return nil }
