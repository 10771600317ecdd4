package s3server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// rooted is versitygw's file engine under absolute paths, with its writes synced
// before they are acknowledged. The engine takes a bucket's name for a path
// relative to the working directory, so here each call replaces the name by the
// bucket's absolute path on the way in, and puts it back in results and errors on
// the way out. Calls it does not define, versions and legal holds, answer
// NotImplemented.
//
// Order of one write: the content is synced while it is still a nameless
// temporary file, so that an object being replaced is whole at every moment;
// then it is given its name; then the file (its attributes) and the folders up
// to the bucket are synced; then the client hears of it.
type rooted struct {
	backend.BackendUnsupported
	posix   *posix.Posix
	dir     string
	log     *slog.Logger
	keys    *keyLocks
	folders *folders
	sync    func(*os.File) error // (*os.File).Sync; a test makes it fail
}

var _ backend.Backend = (*rooted)(nil)

// tempDir is the engine's own folder inside each bucket.
const tempDir = posix.MetaTmpDir

func newRooted(dir string, log *slog.Logger) (*rooted, error) {
	p, err := newPosix(dir)
	if err != nil {
		return nil, err
	}
	return &rooted{posix: p, dir: dir, log: log, keys: newKeyLocks(), folders: newFolders(), sync: (*os.File).Sync}, nil
}

// Shutdown closes the engine.
func (r *rooted) Shutdown() { r.posix.Shutdown() }

// String names the engine.
func (r *rooted) String() string { return "dayfly objects" }

// NormalizeObjectKey is used by policies to match keys. Keys that the file system
// would read differently are refused, so a key stands for itself.
func (r *rooted) NormalizeObjectKey(_, key string) string { return key }

// path is where a bucket is. The protocol's half has checked the name already;
// should one come through that is not a bucket's, its path leads nowhere.
func (r *rooted) path(bucket string) string {
	if !utils.IsValidBucketName(bucket) {
		return filepath.Join(r.dir, ".no-such-bucket")
	}
	return filepath.Join(r.dir, bucket)
}

// at returns the bucket's path as the pointer that inputs hold.
func (r *rooted) at(bucket *string) *string {
	if bucket == nil {
		return nil
	}
	path := r.path(*bucket)
	return &path
}

// outward is an error as the client may see it: with the bucket's name in place
// of its path, and without what is the machine's own affair, which is logged.
func (r *rooted) outward(operation string, err error) error {
	if err == nil {
		return nil
	}
	var bucket s3err.BucketError
	if errors.As(err, &bucket) {
		bucket.BucketName = filepath.Base(bucket.BucketName)
		return bucket
	}
	var known s3err.S3Error
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.log.Debug("object request cut off", "operation", operation, "error", err)
		return s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	r.log.Error("object store", "operation", operation, "error", err)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice)
	}
	return s3err.GetAPIError(s3err.ErrInternalError)
}

// maxElement is what common file systems take for one element of a path.
const maxElement = 255

// keyProblem says why a key cannot be stored as a file of that name, or returns
// nil. Without it "a//b", "a/./b" and "a/b" would be one object.
func keyProblem(key string) error {
	refuse := func(why string) error {
		return s3err.APIError{
			Code:           "InvalidArgument",
			Description:    "This store keeps objects as files: " + why,
			HTTPStatusCode: 400,
		}
	}
	if strings.ContainsRune(key, 0) {
		return refuse("a key cannot contain the NUL character.")
	}
	elements := strings.Split(strings.TrimSuffix(key, "/"), "/")
	for _, e := range elements {
		switch {
		case e == "" || e == "." || e == "..":
			return refuse(`the elements of a key between slashes cannot be empty, "." or "..".`)
		case len(e) > maxElement:
			return s3err.APIError{
				Code:           "KeyTooLongError",
				Description:    fmt.Sprintf("This store keeps objects as files: each element of a key between slashes has at most %d bytes.", maxElement),
				HTTPStatusCode: 400,
			}
		}
	}
	if elements[0] == tempDir {
		return refuse("keys under " + tempDir + "/ are its own.")
	}
	return nil
}

// keyOf checks the key that an input points to.
func keyOf(key *string) error {
	if key == nil {
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	return keyProblem(*key)
}

// ListBuckets lists the folders that are buckets, by name. There is one account,
// so whoever is let in sees all of them.
func (r *rooted) ListBuckets(_ context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	out := s3response.ListAllMyBucketsResult{
		Owner:  s3response.CanonicalUser{ID: in.Owner},
		Prefix: in.Prefix,
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return out, r.outward("ListBuckets", err)
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || !utils.IsValidBucketName(name) || !strings.HasPrefix(name, in.Prefix) || name <= in.ContinuationToken {
			continue
		}
		if n := len(out.Buckets.Bucket); in.MaxBuckets > 0 && n == int(in.MaxBuckets) {
			out.ContinuationToken = out.Buckets.Bucket[n-1].Name
			break
		}
		info, err := e.Info()
		if err != nil {
			continue // deleted meanwhile
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket, s3response.ListAllMyBucketsEntry{Name: name, CreationDate: info.ModTime()})
	}
	return out, nil
}
