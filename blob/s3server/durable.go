package s3server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// syncPath makes what the file or folder is now survive a power cut.
func (r *rooted) syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	err = r.sync(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

func (r *rooted) syncPaths(paths ...string) error {
	for _, p := range paths {
		if err := r.syncPath(p); err != nil {
			return err
		}
	}
	return nil
}

// syncObject syncs an object, with its attributes, and the folders that lead to
// it. One that is gone again was deleted meanwhile: then there is nothing to keep.
func (r *rooted) syncObject(bucket, key string) error {
	if err := r.syncPath(filepath.Join(bucket, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.syncFolders(bucket, key)
}

// syncFolders syncs the folders from the object's up to the bucket's. Each may be
// new, or have lost an entry; those that were removed are passed over, as their
// absence is an entry of the next one up.
func (r *rooted) syncFolders(bucket, key string) error {
	for folder := strings.TrimSuffix(key, "/"); folder != "."; {
		folder = filepath.Dir(folder)
		if err := r.syncPath(filepath.Join(bucket, folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
