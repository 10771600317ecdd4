package s3server

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/versity/versitygw/backend/meta"
)

// folders keeps those that objects are on their way to. A folder goes with its
// last object; if that happens while a put has made it and not yet used it, the
// engine answers the put with ExistingObjectIsDirectory.
type folders struct {
	mu  sync.Mutex
	use map[string]int // puts under way, by each folder they lead through
}

func newFolders() *folders { return &folders{use: map[string]int{}} }

// above are the folders that lead to a key, from the lowest up, without the
// bucket's.
func above(bucket, key string) (all []string) {
	for dir := filepath.Dir(strings.TrimSuffix(key, "/")); dir != "."; dir = filepath.Dir(dir) {
		all = append(all, filepath.Join(bucket, dir))
	}
	return all
}

// hold keeps the folders that lead to the key until release is called. Those that
// are empty then go.
func (f *folders) hold(bucket, key string) (release func()) {
	all := above(bucket, key)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, dir := range all {
		f.use[dir]++
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, dir := range all {
			if f.use[dir]--; f.use[dir] == 0 {
				delete(f.use, dir)
			}
		}
		f.prune(all)
	}
}

// left removes the folders that are empty without the key.
func (f *folders) left(bucket, key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prune(above(bucket, key))
}

// prune removes folders, from the lowest up, until one is in use, not empty, or an
// object of its own, as those are that were put with a key that ends in a slash.
func (f *folders) prune(all []string) {
	for _, dir := range all {
		if f.use[dir] > 0 {
			return
		}
		if _, err := (meta.XattrMeta{}).RetrieveAttribute(nil, dir, "", etagAttribute); err == nil {
			return
		}
		if os.Remove(dir) != nil {
			return
		}
	}
}
