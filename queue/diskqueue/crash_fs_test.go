package diskqueue

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/internal/vfs"
)

// crashFS is a folder that keeps an image of what a crash leaves, taken just
// before one of the operations that change it. The engine goes on meanwhile, as
// one whose answers nobody gets any more.
type crashFS struct {
	*faultfs.FS
	rng     *rand.Rand
	power   bool        // what is not synced is lost, in part or whole
	noSync  atomic.Bool // the bug of a disk that says synced and is not
	crashed func()      // called before the image is taken, and
	taken   func()      // after

	mu    sync.Mutex
	left  int // operations; 0: no image is wanted
	image *faultfs.FS
}

// arm takes the image before the n-th operation from now on.
func (s *crashFS) arm(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = n
}

// crash returns the image, which it takes now if that did not happen yet.
func (s *crashFS) crash() *faultfs.FS {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.image == nil {
		s.take()
	}
	return s.image
}

// take takes the image; mu is held.
func (s *crashFS) take() {
	s.left = 0
	s.crashed()
	if s.power {
		s.image = s.FS.Crash(s.rng)
	} else {
		s.image = s.FS.Kill()
	}
	s.taken()
}

// step is one operation about to be done.
func (s *crashFS) step() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == 0 || s.image != nil {
		return
	}
	if s.left--; s.left == 0 {
		s.take()
	}
}

func (s *crashFS) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &crashFile{f, s}, nil
}

func (s *crashFS) Create(name string) (vfs.File, error) {
	s.step()
	return s.file(s.FS.Create(name))
}

func (s *crashFS) Open(name string) (vfs.File, error) { return s.file(s.FS.Open(name)) }

func (s *crashFS) Rename(from, to string) error {
	s.step()
	return s.FS.Rename(from, to)
}

func (s *crashFS) Remove(name string) error {
	s.step()
	return s.FS.Remove(name)
}

func (s *crashFS) SyncDir() error {
	s.step()
	return s.FS.SyncDir()
}

type crashFile struct {
	vfs.File
	s *crashFS
}

func (f *crashFile) WriteAt(b []byte, at int64) (int, error) {
	f.s.step()
	return f.File.WriteAt(b, at)
}

func (f *crashFile) Datasync() error {
	f.s.step()
	if f.s.noSync.Load() {
		return nil
	}
	return f.File.Datasync()
}
