package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"

	"github.com/dayfly-dev/dayfly/examples/releases/internal/archive"
	"github.com/dayfly-dev/dayfly/examples/releases/internal/watch"
)

// Spool is a downloaded archive in a temporary file that has no name any more:
// it is gone when closed, or with the process.
type Spool struct {
	*os.File
	Size int64
	Sum  string // "sha256:" and 64 hexadecimal digits
}

// Digest is what a download must have, as the registry said.
type Digest struct {
	Name string // "sha256", "sha512", …
	New  func() hash.Hash
	Sum  []byte
}

// Download fetches an archive of at most archive.DefaultCompressed bytes and
// compares it with want, if that is not nil.
func (c *Client) Download(ctx context.Context, q Request, want *Digest) (*Spool, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	// Without this the transport would take a served .tar.gz for a compressed
	// answer, and the digest would be of other bytes.
	resp, done, err := c.do(ctx, q, http.Header{"Accept-Encoding": {"identity"}})
	if err != nil {
		return nil, err
	}
	defer done()
	defer resp.Body.Close()
	limit := q.Limit
	if limit <= 0 {
		limit = archive.DefaultCompressed
	}
	if resp.ContentLength > limit {
		return nil, tooLarge(limit, resp.ContentLength)
	}
	f, err := os.CreateTemp("", "releases-*.archive")
	if err != nil {
		return nil, fmt.Errorf("a temporary file for %s: %w", q.Package, err)
	}
	os.Remove(f.Name())
	s, err := q.spool(ctx, f, resp, limit, want)
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (q Request) spool(ctx context.Context, f *os.File, resp *http.Response, limit int64, want *Digest) (*Spool, error) {
	sum := sha256.New()
	w := []io.Writer{f, sum}
	var check hash.Hash
	if want != nil {
		check = want.New()
		w = append(w, check)
	}
	n, err := io.Copy(io.MultiWriter(w...), io.LimitReader(resp.Body, limit+1))
	if err != nil {
		if _, ok := errors.AsType[*os.PathError](err); ok {
			return nil, fmt.Errorf("a temporary file for %s: %w", q.Package, err)
		}
		return nil, q.unreachable(ctx, err)
	}
	if n > limit {
		return nil, tooLarge(limit, n)
	}
	if resp.ContentLength >= 0 && n != resp.ContentLength {
		return nil, q.fail(watch.Unreachable, fmt.Sprintf("the archive ended after %d of %d bytes", n, resp.ContentLength), nil)
	}
	if want != nil && string(check.Sum(nil)) != string(want.Sum) {
		return nil, q.fail(watch.Malformed, "the archive does not have the "+want.Name+" digest that the registry gives for it", nil)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("a temporary file for %s: %w", q.Package, err)
	}
	return &Spool{File: f, Size: n, Sum: "sha256:" + hex.EncodeToString(sum.Sum(nil))}, nil
}

func tooLarge(limit, size int64) error {
	return &archive.Refusal{Reason: fmt.Sprintf("it has %s or more, and at most %s are downloaded", watch.Bytes(size), watch.Bytes(limit))}
}
