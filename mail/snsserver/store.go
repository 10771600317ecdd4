package snsserver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/dayfly-dev/dayfly/internal/vfs"
)

// store keeps topics, each in a file of its own. A change is on disk before it
// is seen: what a request was told survives the machine. A change that failed
// is not seen, but may be found after a restart, as any request may whose
// answer was lost.
type store struct {
	files vfs.FS
	lock  io.Closer

	changing sync.Mutex // held from reading a topic to having written it

	mu     sync.RWMutex
	topics map[string]*topic
	fifo   int // of them
}

// fileSuffix of a topic's file; before it stand 32 hexadecimal digits of the
// SHA-256 of the topic's name, as file systems neither tell all names apart nor
// take all lengths.
const fileSuffix = ".topic"

func fileOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16]) + fileSuffix
}

func openStore(files vfs.FS) (*store, error) {
	lock, err := files.Lock("lock")
	if err != nil {
		return nil, err
	}
	s := &store{files: files, lock: lock, topics: map[string]*topic{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *store) load() error {
	names, err := s.files.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, fileSuffix+".tmp"): // of a change that was not answered
			if err := s.files.Remove(name); err != nil {
				return err
			}
		case strings.HasSuffix(name, fileSuffix):
			t, err := s.read(name)
			if err != nil {
				return err
			}
			s.put(t)
		}
	}
	return nil
}

func (s *store) read(file string) (*topic, error) {
	data, err := vfs.ReadFile(s.files, file, maxRecord)
	if err != nil {
		return nil, err
	}
	t, err := decodeTopic(data)
	if err == nil && fileOf(t.Name) != file {
		err = fmt.Errorf("it holds the topic %q, whose file is %s", t.Name, fileOf(t.Name))
	}
	if errors.Is(err, errNewer) {
		return nil, fmt.Errorf("topics/%s cannot be read: %w", file, err)
	}
	if err != nil {
		return nil, fmt.Errorf("topics/%s cannot be read: %w: restore it from a backup, or move it away, "+
			"which removes the topic and its subscriptions", file, err)
	}
	return t, nil
}

func (s *store) close() error { return s.lock.Close() }

// topic returns a topic, or nil.
func (s *store) topic(name string) *topic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.topics[name]
}

// names of all topics in ascending order.
func (s *store) names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.topics))
}

// count returns how many topics there are, and how many of them are FIFO.
func (s *store) count() (all, fifo int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.topics), s.fifo
}

// change replaces a topic (nil: there is none) by what do makes of it, on disk
// first; nil removes it. What do returns as it got it is left as it is.
func (s *store) change(name string, do func(*topic) (*topic, error)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	before := s.topic(name)
	after, err := do(before)
	if err != nil || after == before {
		return err
	}
	if after == nil {
		return s.remove(name)
	}
	data, err := encodeTopic(after)
	if err != nil {
		return err
	}
	if err := vfs.WriteFile(s.files, fileOf(name), data); err != nil {
		return fmt.Errorf("write topic %q: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(after)
	return nil
}

func (s *store) put(t *topic) {
	if s.topics[t.Name] == nil && t.fifo() {
		s.fifo++
	}
	s.topics[t.Name] = t
}

func (s *store) remove(name string) error {
	err := vfs.RemoveIfExists(s.files, fileOf(name))
	if err == nil {
		err = s.files.SyncDir()
	}
	if err != nil {
		return fmt.Errorf("remove topic %q: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[name].fifo() {
		s.fifo--
	}
	delete(s.topics, name)
	return nil
}

func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
