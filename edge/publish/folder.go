package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"
)

const (
	filesAtOnce = 4
	indexFile   = "index.html"
	// moved is what a redirect to the folder's own address is kept by caches: a
	// release that comes may have something else there.
	moved = "no-cache"
)

// FolderOptions say how a folder becomes pages.
type FolderOptions struct {
	// Type returns the Content-Type of a file by its name and content. Required.
	Type func(name string, data []byte) string
	// Cache returns the Cache-Control of a path, "" for revalidation each time.
	// Default nil: "" for all.
	Cache func(path string) string
	// Left is told files that are left out as their names begin with a dot
	// (".well-known" is not). Default: nothing.
	Left func(name string)
}

// Folder is the files below a folder, at their names, whatever the query. What
// index.html holds is at its folder's address; the folder without its slash, and
// index.html itself, redirect there. A file that is no plain one is an error.
func Folder(dir string, o FolderOptions) Source {
	return func(ctx context.Context, add func(Page, []byte) error) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(filesAtOnce)
		err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case name != "." && name != ".well-known" && strings.HasPrefix(d.Name(), "."):
				if o.Left != nil {
					o.Left(name)
				}
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			case d.IsDir():
				return nil
			case !d.Type().IsRegular():
				return fmt.Errorf("%s is no plain file but %s: put the file itself there, or take it out of the folder", name, kindOf(d.Type()))
			}
			g.Go(func() error {
				if err := o.file(root, name, add); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				return nil
			})
			return nil
		})
		if e := g.Wait(); e != nil {
			return e
		}
		return err
	}
}

func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

func (o *FolderOptions) file(root *os.Root, name string, add func(Page, []byte) error) error {
	if err := CheckPath("/" + name); err != nil {
		return err
	}
	data, err := readFile(root, name)
	if err != nil {
		return err
	}
	p := Page{Path: "/" + name, Any: true, Status: http.StatusOK, Type: o.Type(name, data)}
	dir, base := path.Split(p.Path)
	if base == indexFile {
		p.Path = dir
	}
	if o.Cache != nil {
		if v := o.Cache(p.Path); v != "" {
			p.Header = map[string]string{"Cache-Control": v}
		}
	}
	if err := add(p, data); err != nil || base != indexFile {
		return err
	}
	from := []string{dir + indexFile}
	if dir != "/" {
		from = append(from, strings.TrimSuffix(dir, "/"))
	}
	for _, at := range from {
		to := (&url.URL{Path: dir}).EscapedPath()
		r := Page{Path: at, Any: true, Status: http.StatusMovedPermanently, Header: map[string]string{"Location": to, "Cache-Control": moved}}
		if err := add(r, nil); err != nil {
			return err
		}
	}
	return nil
}

func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // replaced meanwhile
		return nil, errors.New("it is no plain file")
	case info.Size() > MaxFile:
		return nil, fmt.Errorf("it has %d MiB; a page has at most %d MiB", info.Size()>>20, MaxFile>>20)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != info.Size() {
		return nil, errors.New("it is being written: stage the folder when it is whole")
	}
	return data, nil
}
