package schedule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// FolderTicks keeps ticks in files below a folder, which it makes. Processes
// of one machine share it; on a network file system it is as good as its
// link(2).
//
// A record is written to a file of its own, synced, and then linked to its
// name: link fails when the name is taken, whoever took it, and a name never
// shows a record half written. The folder is synced before Create returns.
func FolderTicks(dir string) (Ticks, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	t := folderTicks{dir}
	return t, t.sweep()
}

type folderTicks struct{ dir string }

const temporary = ".new-" // prefix of files not yet linked

// sweep removes what processes that died while writing left behind.
func (t folderTicks) sweep() error {
	return filepath.WalkDir(t.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(e.Name(), temporary) {
			return err
		}
		if i, err := e.Info(); err == nil && time.Since(i.ModTime()) > time.Hour {
			os.Remove(name)
		}
		return nil
	})
}

// file returns the path of a key, which must stay below the folder.
func (t folderTicks) file(key string) (string, error) {
	if !fs.ValidPath(key) || key == "." || strings.ContainsAny(key, `\`) {
		return "", fmt.Errorf("schedule: %q is no key of a tick", key)
	}
	return filepath.Join(t.dir, filepath.FromSlash(key)), nil
}

func (t folderTicks) Create(_ context.Context, key string, body []byte) (bool, error) {
	name, err := t.file(key)
	if err != nil {
		return false, err
	}
	if _, err := os.Lstat(name); err == nil {
		return false, nil // the usual case of the second process, without a write
	}
	if err := makeDir(t.dir, filepath.Dir(name)); err != nil {
		return false, err
	}
	unlinked, err := writeSynced(filepath.Dir(name), body)
	if err != nil {
		return false, err
	}
	defer os.Remove(unlinked)
	if err := os.Link(unlinked, name); errors.Is(err, fs.ErrExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("schedule: claim: %w", err)
	}
	if err := syncDir(filepath.Dir(name)); err != nil {
		return false, err
	}
	return true, nil
}

func writeSynced(dir string, body []byte) (name string, err error) {
	f, err := os.CreateTemp(dir, temporary+"*")
	if err != nil {
		return "", fmt.Errorf("schedule: %w", err)
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("schedule: %w", err)
	}
	return f.Name(), nil
}

// makeDir makes dir below root, each level synced into the one above.
func makeDir(root, dir string) error {
	if _, err := os.Stat(dir); err == nil || dir == root {
		return err
	}
	if err := makeDir(root, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("schedule: %w", err)
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	return nil
}

func (t folderTicks) Read(_ context.Context, key string) ([]byte, error) {
	name, err := t.file(key)
	if err != nil {
		return nil, err
	}
	body, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoRecord, key)
	}
	if err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	return body[:min(len(body), maxRecord)], nil
}

func (t folderTicks) Delete(_ context.Context, key string) error {
	name, err := t.file(key)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("schedule: %w", err)
	}
	return nil
}

// List reads the folder the prefix ends in: prefixes end in a slash or inside
// the last part of a key.
func (t folderTicks) List(_ context.Context, prefix, from string, max int) ([]string, error) {
	parent, _ := path.Split(prefix)
	name, err := t.file(strings.TrimSuffix(parent, "/"))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	var keys []string
	for _, e := range entries {
		key := parent + e.Name()
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), temporary) && strings.HasPrefix(key, prefix) && key >= from {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(len(keys), max)], nil
}
