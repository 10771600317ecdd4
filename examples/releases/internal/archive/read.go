package archive

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Zip reads a zip archive. prefix is the folder every path must be under and
// is taken away ("golang.org/x/mod@v0.1.0/"); "" takes away a shared folder
// only when unwrap is set.
func Zip(r io.ReaderAt, size int64, prefix string, unwrap bool, l Limits) (*Tree, error) {
	l = l.withDefaults()
	if size > l.Compressed {
		return nil, tooLarge(l)
	}
	// The directory is read whole by archive/zip, whatever count it claims: so
	// reading it is given a budget of its own.
	guard := &budget{r: r, left: directoryBudget(l)}
	zr, err := zip.NewReader(guard, size)
	if err != nil {
		if guard.spent {
			return nil, refuse("it has more than %d files", l.Files)
		}
		return nil, refuse("it is not a zip archive: %v", err)
	}
	guard.left = -1
	if len(zr.File) > l.Files {
		return nil, refuse("it has %d entries, more than %d files", len(zr.File), l.Files)
	}
	t := newTree(l)
	for _, zf := range zr.File {
		if err := t.addZip(zf, size); err != nil {
			return nil, err
		}
	}
	if prefix != "" {
		for p := range t.Files {
			if !strings.HasPrefix(p, prefix) {
				return nil, refuse("%s is not under %s", quote(p), quote(prefix))
			}
		}
	} else if unwrap {
		prefix = t.sharedFolder()
	}
	t.strip(prefix)
	return t, nil
}

func (t *Tree) addZip(zf *zip.File, size int64) error {
	name, err := cleanPath(zf.Name)
	if err != nil {
		return err
	}
	if strings.HasSuffix(zf.Name, "/") {
		return nil
	}
	rc, err := zf.Open()
	if err != nil {
		return refuse("%s cannot be read: %v", quote(name), err)
	}
	defer rc.Close()
	switch zf.Mode().Type() {
	case 0:
	case fs.ModeDir:
		return nil
	case fs.ModeSymlink:
		target, err := io.ReadAll(io.LimitReader(rc, maxPath+1))
		if err != nil || len(target) > maxPath {
			return refuse("the link %s cannot be read", quote(name))
		}
		return t.addLink(name, string(target))
	default:
		return refuse("%s is neither a file nor a link", quote(name))
	}
	expanded := t.Bytes
	return refusalOr(t.add(name, &metered{r: rc, total: &expanded, compressed: size, l: t.limits}), name)
}

func (t *Tree) addLink(name, target string) error {
	if err := cleanLink(name, target); err != nil {
		return err
	}
	return t.put(&File{Path: name, Link: target})
}

// TarGz reads a gzipped (or, as old Python archives are, bzipped) tar archive
// and takes away the folder all its paths share. size is that of r, in bytes.
func TarGz(r io.Reader, size int64, l Limits) (*Tree, error) {
	l = l.withDefaults()
	if size > l.Compressed {
		return nil, tooLarge(l)
	}
	plain, err := decompressor(r)
	if err != nil {
		return nil, err
	}
	var total int64
	tr := tar.NewReader(&metered{r: plain, total: &total, compressed: size, l: l})
	t := newTree(l)
	for entries := 0; ; entries++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, refusalOr(err, "the archive")
		}
		if entries >= l.Files {
			return nil, refuse("it has more than %d files", l.Files)
		}
		if err := t.addTar(tr, h); err != nil {
			return nil, err
		}
	}
	t.strip(t.sharedFolder())
	return t, nil
}

func (t *Tree) addTar(tr *tar.Reader, h *tar.Header) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := cleanPath(h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg, tar.TypeGNUSparse:
		if h.Size > t.limits.File {
			return refuse("%s is larger than %d MiB", quote(name), t.limits.File>>20)
		}
		return refusalOr(t.add(name, tr), name)
	case tar.TypeSymlink:
		return t.addLink(name, h.Linkname)
	case tar.TypeLink:
		// A hard link names its target from the archive's root.
		if _, err := cleanPath(h.Linkname); err != nil {
			return refuse("the link %s leads outside, to %s", quote(name), quote(h.Linkname))
		}
		return t.put(&File{Path: name, Link: "/" + h.Linkname})
	default:
		return refuse("%s is neither a file nor a link", quote(name))
	}
}

func decompressor(r io.Reader) (io.Reader, error) {
	br := bufio.NewReader(r)
	magic, _ := br.Peek(3)
	if string(magic) == "BZh" {
		return bzip2.NewReader(br), nil
	}
	zr, err := gzip.NewReader(br)
	if err != nil {
		return nil, refuse("it is neither gzip nor bzip2: %v", err)
	}
	return zr, nil
}

// metered ends reading when an archive expands beyond its limits.
type metered struct {
	r          io.Reader
	total      *int64 // expanded so far, this reader's part included
	compressed int64
	l          Limits
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	*m.total += int64(n)
	if *m.total > m.l.Expanded {
		return n, refuse("it expands to more than %d MiB", m.l.Expanded>>20)
	}
	if *m.total > ratioFrom && *m.total/m.l.Ratio > m.compressed {
		return n, refuse("it expands to more than %d times its size", m.l.Ratio)
	}
	return n, err
}

// budget lets a part of an archive be read, then fails; left < 0 is no limit.
type budget struct {
	r     io.ReaderAt
	left  int64
	spent bool
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left >= 0 {
		if b.left < int64(len(p)) {
			b.spent = true
			return 0, errors.New("the directory is too large")
		}
		b.left -= int64(len(p))
	}
	return b.r.ReadAt(p, off)
}

// directoryBudget allows each file 256 bytes of directory (46 are fixed, the
// rest is its name), and what archive/zip reads to find the directory.
func directoryBudget(l Limits) int64 { return 256<<10 + int64(l.Files)*256 }

func tooLarge(l Limits) error {
	return refuse("it is larger than %d MiB", l.Compressed>>20)
}

// refusalOr keeps a refusal and makes one of a broken archive.
func refusalOr(err error, what string) error {
	var r *Refusal
	if err == nil || errors.As(err, &r) {
		return err
	}
	return &Refusal{Reason: fmt.Sprintf("%s cannot be read: %v", quote(what), err)}
}
