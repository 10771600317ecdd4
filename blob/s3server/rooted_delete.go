package s3server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// DeleteObject of a key that does not exist succeeds, unless it asks for a state
// of the object (If-Match): then it answers NoSuchKey, as S3 does.
func (r *rooted) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	out, err := r.remove(ctx, in)
	if err != nil || keyOf(in.Key) != nil {
		return out, r.outward("DeleteObject", err)
	}
	return out, r.outward("DeleteObject", r.syncFolders(r.path(*in.Bucket), *in.Key))
}

// remove deletes an object; the folders are still to be synced.
func (r *rooted) remove(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if keyOf(in.Key) != nil {
		if in.IfMatch != nil {
			return nil, s3err.GetAPIError(s3err.ErrNoSuchKey)
		}
		return &s3.DeleteObjectOutput{}, nil
	}
	c := *in
	c.Bucket = r.at(in.Bucket)
	defer r.keys.lock(*c.Bucket, *c.Key)()
	if c.IfMatch != nil {
		// The engine answers this like any DELETE of what is not there.
		if _, err := r.posix.HeadObject(ctx, &s3.HeadObjectInput{Bucket: c.Bucket, Key: c.Key}); err != nil {
			return nil, err
		}
		if *c.IfMatch == "*" {
			c.IfMatch = nil
		}
	}
	if strings.HasSuffix(*c.Key, "/") || aws.ToString(c.VersionId) != "" {
		return r.posix.DeleteObject(ctx, &c)
	}
	return &s3.DeleteObjectOutput{}, r.removeFile(&c)
}

// removeFile does for an ordinary object what the engine does, but for removing
// folders that others are about to use.
func (r *rooted) removeFile(in *s3.DeleteObjectInput) error {
	if _, err := os.Stat(*in.Bucket); errors.Is(err, fs.ErrNotExist) {
		return s3err.GetBucketErr(s3err.ErrNoSuchBucket, *in.Bucket)
	}
	path := filepath.Join(*in.Bucket, *in.Key)
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && fi.IsDir() {
		return nil // no such object, which was seen to if there is a condition
	}
	if err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	etag, err := attributes{}.RetrieveAttribute(nil, path, "", etagAttribute)
	if err != nil && !errors.Is(err, meta.ErrNoSuchKey) {
		return fmt.Errorf("delete object: %w", err)
	}
	if err := backend.EvaluateObjectDeletePreconditions(string(etag), fi.ModTime(), fi.Size(), backend.ObjectDeletePreconditions{
		IfMatch: in.IfMatch, IfMatchLastModTime: in.IfMatchLastModifiedTime, IfMatchSize: in.IfMatchSize,
	}); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	r.folders.left(*in.Bucket, *in.Key)
	return nil
}

// DeleteObjects deletes one after the other, and then syncs each folder once.
func (r *rooted) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	var out s3response.DeleteResult
	folders := map[string]string{} // one of the keys removed of each
	for _, o := range in.Delete.Objects {
		err := keyOf(o.Key)
		if err == nil {
			_, err = r.remove(ctx, &s3.DeleteObjectInput{Bucket: in.Bucket, Key: o.Key, VersionId: o.VersionId, IfMatch: unquoted(o.ETag)})
			err = r.outward("DeleteObjects", err)
		}
		if err != nil {
			out.Error = append(out.Error, s3err.ObjectDeleteError(o.Key, o.VersionId, err))
			continue
		}
		out.Deleted = append(out.Deleted, types.DeletedObject{Key: o.Key, VersionId: o.VersionId})
		folders[filepath.Dir(strings.TrimSuffix(*o.Key, "/"))] = *o.Key
	}
	for _, key := range folders {
		if err := r.syncFolders(r.path(*in.Bucket), key); err != nil {
			return out, r.outward("DeleteObjects", err)
		}
	}
	return out, nil
}

// unquoted is an ETag as the engine compares it.
func unquoted(etag *string) *string {
	if etag == nil {
		return nil
	}
	bare := strings.Trim(*etag, `"`)
	return &bare
}
