// Package archive keeps versions of static files in a bucket, for all nodes that
// serve a site: while a rollout is under way, each is asked for what only the
// other has, and pages that were loaded before it go on asking for what they
// were made with.
//
// An object is a file's content under PREFIX + its address, with its SHA-256 as
// metadata; doc/formats/static-versions.md describes it. Who serves a version puts
// it there again when half of the time to keep has gone by, so that the age of
// an object tells how long nobody has served it: what is older than one and a half
// times that is deleted. No list has to agree with what is there, and a node that
// dies at any moment leaves nothing to repair.
//
// A version is there when Put returns. Nothing is retried here but by the
// bucket's own client. All methods may be called at once.
package archive

import (
	"context"
	"crypto/md5" //nolint:gosec // what S3 checks an upload by
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"github.com/dayfly-dev/dayfly/edge/versions"
)

const (
	// MaxSize is the size in bytes of the largest file that is kept: it has to be
	// whole in memory before its hash is known to be right.
	MaxSize = 64 << 20

	requests = 16      // at once
	mostSeen = 100_000 // objects that are remembered; others are put again
	sumKey   = "sha256"
)

// ErrNotFound: there is no such version, or no longer.
var ErrNotFound = errors.New("archive: no such version")

// ErrDamaged: what is there is not what was put.
var ErrDamaged = errors.New("archive: version is damaged")

// An Archive is a part of a bucket.
type Archive struct {
	bucket *blob.Bucket
	prefix string
	keep   time.Duration

	mu   sync.Mutex
	seen map[string]time.Time // when an object that is known to be there was written
}

// New makes an Archive of what is under a prefix in a bucket, such as "static/".
// keep is how long a version is kept at least after the last node that serves it
// has ended, or has got another; it is positive.
func New(bucket *blob.Bucket, prefix string, keep time.Duration) *Archive {
	return &Archive{bucket: bucket, prefix: prefix, keep: keep, seen: map[string]time.Time{}}
}

// Keep is how long versions are kept at least.
func (a *Archive) Keep() time.Duration { return a.keep }

// Put keeps versions. Those that were put, or found by Look, lately are not put
// again. Files larger than MaxSize are left out. The first error ends it; what
// was put stays.
func (a *Archive) Put(ctx context.Context, list []*versions.Version) error {
	g, putting := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for _, v := range list {
		if !a.due(v) {
			continue
		}
		if putting.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := a.put(putting, v); err != nil {
				return fmt.Errorf("keep %s: %w", v.Address, err)
			}
			return nil
		})
	}
	return errors.Join(g.Wait(), ctx.Err())
}

// due reports whether a version is to be put now.
func (a *Archive) due(v *versions.Version) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(v.Data) <= MaxSize && time.Since(a.seen[v.Address]) > a.keep/2
}

func (a *Archive) put(ctx context.Context, v *versions.Version) error {
	start := time.Now()
	sum := sha256.Sum256(v.Data)
	check := md5.Sum(v.Data) //nolint:gosec // not against an attacker
	err := a.bucket.WriteAll(ctx, a.prefix+v.Address, v.Data, &blob.WriterOptions{ContentType: "application/octet-stream",
		ContentMD5: check[:], Metadata: map[string]string{sumKey: hex.EncodeToString(sum[:])}})
	if err == nil {
		a.note(v.Address, start)
	}
	return err
}

func (a *Archive) note(address string, written time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[address] = written
}

// Get returns a version's content, which is what was put: its hash was compared.
// Errors are ErrNotFound, or those of the bucket and of what is damaged in it.
func (a *Archive) Get(ctx context.Context, address string) ([]byte, error) {
	if !versions.IsAddress(address) {
		return nil, ErrNotFound
	}
	about, err := a.bucket.Attributes(ctx, a.prefix+address)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s: %w", address, err)
	}
	if about.Size > MaxSize {
		return nil, fmt.Errorf("%w: %s has %d bytes, and none has more than %d", ErrDamaged, address, about.Size, MaxSize)
	}
	r, err := a.bucket.NewReader(ctx, a.prefix+address, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", address, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", address, err)
	}
	if sum := sha256.Sum256(data); about.Metadata[sumKey] != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%w: the SHA-256 of %s is not what was written; delete it, and a node that serves it writes it again", ErrDamaged, address)
	}
	return data, nil
}

// Look goes through all that is kept: it deletes what nobody has served for the
// time to keep and half as much again, and has Put know of the rest, so that it
// puts again what is due or has gone. It returns how many objects were deleted.
func (a *Archive) Look(ctx context.Context) (deleted int, err error) {
	seen := map[string]time.Time{}
	now := time.Now()
	g, requesting := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	list := a.bucket.List(&blob.ListOptions{Prefix: a.prefix})
	for {
		o, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, errors.Join(fmt.Errorf("list versions: %w", err), g.Wait())
		}
		if o.IsDir {
			continue
		}
		address := o.Key[len(a.prefix):]
		if now.Sub(o.ModTime) <= a.keep+a.keep/2 {
			if now.Sub(o.ModTime) < a.keep/2 && len(seen) < mostSeen {
				seen[address] = o.ModTime
			}
			continue
		}
		deleted++
		g.Go(func() error {
			if err := a.bucket.Delete(requesting, o.Key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
				return fmt.Errorf("delete %s: %w", o.Key, err)
			}
			return nil
		})
	}
	a.mu.Lock()
	for address, written := range a.seen { // what was put while this listed
		if written.After(now) {
			seen[address] = written
		}
	}
	a.seen = seen
	a.mu.Unlock()
	return deleted, g.Wait()
}
