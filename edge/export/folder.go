package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/blob/upload"
)

// RecordName is the file in which a destination keeps what was exported to it:
// see upload.Record; in a folder it has the SHA-256 of each content, in hex.
const RecordName = ".dayfly-export.json"

// ErrNotEmpty: a folder holds other things than an export.
var ErrNotEmpty = errors.New("export: the folder is not empty, and no export")

// Folder is a folder on this machine.
type Folder struct {
	root  *os.Root
	prune bool
	old   upload.Record

	mu   sync.Mutex
	now  upload.Record
	last atomic.Int64 // number of the last temporary file
}

// OpenFolder makes a folder ready to take an export, or one more. With prune, files
// of an earlier export that are not in this one are removed, unless they were
// changed since. With force it may hold other things, which may be overwritten.
func OpenFolder(dir string, prune, force bool) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{root: root, prune: prune, now: upload.Record{Version: 1, Files: map[string]upload.Put{}}}
	if err := f.begin(force); err != nil {
		root.Close()
		return nil, err
	}
	return f, nil
}

func (d *Folder) begin(force bool) error {
	r, err := d.root.Open(RecordName)
	if err == nil {
		defer r.Close()
		if d.old, err = upload.ReadRecord(RecordName, r); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err == nil && len(entries) > 0 && !force {
		return fmt.Errorf("%w: %s", ErrNotEmpty, d.root.Name())
	}
	if err != nil {
		return err
	}
	return d.keep() // so that one that is interrupted can be made again
}

// Close is to be called in the end.
func (d *Folder) Close() error { return d.root.Close() }

// writers is how many files are written at once.
const writers = 8

// Put implements Destination. A file that is the same already is not touched.
func (d *Folder) Put(ctx context.Context, groups [][]*File) (written int, err error) {
	var n atomic.Int64
	for _, files := range groups {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(writers)
		for _, f := range files {
			g.Go(func() error {
				written, err := d.put(ctx, f)
				if written {
					n.Add(1)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return int(n.Load()), err
		}
	}
	return int(n.Load()), nil
}

func (d *Folder) put(ctx context.Context, f *File) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	d.mu.Lock()
	d.now.Files[f.Name] = upload.Put{Sum: fmt.Sprintf("%x", f.Sum)}
	d.mu.Unlock()
	if d.has(f.Name, f.Size, f.Sum) {
		return false, nil
	}
	if err := d.root.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
		return false, err
	}
	in, err := f.Open()
	if err != nil {
		return false, err
	}
	defer in.Close()
	return true, d.write(f.Name, in)
}

// write replaces a file whole.
func (d *Folder) write(name string, in io.Reader) error {
	temporary := ".dayfly-export-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(d.last.Add(1), 10)
	out, err := d.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err == nil {
		err = d.root.Rename(temporary, name)
	}
	if err != nil {
		d.root.Remove(temporary) //nolint:errcheck // the error before counts
	}
	return err
}

// has reports whether a file is there with a content.
func (d *Folder) has(name string, size int64, sum [sha256.Size]byte) bool {
	in, err := d.root.Open(name)
	if err != nil {
		return false
	}
	defer in.Close()
	if fi, err := in.Stat(); err != nil || fi.Size() != size || !fi.Mode().IsRegular() {
		return false
	}
	h := sha256.New()
	_, err = io.Copy(h, in)
	return err == nil && [sha256.Size]byte(h.Sum(nil)) == sum
}

// End implements Destination.
func (d *Folder) End(context.Context) (stale []string, pruned bool, err error) {
	for name, old := range d.old.Files {
		if _, ok := d.now.Files[name]; ok {
			continue
		}
		if fi, err := d.root.Stat(name); err != nil || !fi.Mode().IsRegular() {
			continue
		}
		stale = append(stale, name)
		if !d.prune {
			d.now.Files[name] = old // to be told next time, too
			continue
		}
		if err := d.remove(name, old); err != nil {
			return stale, false, err
		}
	}
	return stale, d.prune, d.keep()
}

// keep writes the record.
func (d *Folder) keep() error {
	var data bytes.Buffer
	if err := d.now.Write(&data); err != nil {
		return err
	}
	return d.write(RecordName, &data)
}

// remove removes a file that is as it was put, and the folders that are empty then.
func (d *Folder) remove(name string, old upload.Put) error {
	data, err := d.root.Open(name)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(h, data)
	if err = errors.Join(err, data.Close()); err != nil {
		return err
	}
	if fmt.Sprintf("%x", h.Sum(nil)) != old.Sum {
		return nil // it is somebody's by now
	}
	if err := d.root.Remove(name); err != nil {
		return err
	}
	for dir := path.Dir(name); dir != "." && d.root.Remove(dir) == nil; {
		dir = path.Dir(dir)
	}
	return nil
}
