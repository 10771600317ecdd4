package s3server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3response"
)

// etagAttribute is the engine's attribute that has an object's ETag.
const etagAttribute = "etag"

// getWhole is the engine's GetObject, again where the object was replaced under
// way: the engine takes the ETag, and what it checks conditions with, from one
// file of that name, and the content from the next.
func (r *rooted) getWhole(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	for {
		out, err := r.posix.GetObject(ctx, in)
		if err != nil || out.Body == nil || out.ETag == nil {
			return out, err
		}
		etag, err := etagOf(out.Body, *in.Bucket, *in.Key)
		if err == nil && etag == *out.ETag || errors.Is(err, meta.ErrNoSuchKey) {
			return out, nil // without an ETag it is not of this store's making
		}
		if err := errors.Join(out.Body.Close(), ctx.Err()); err != nil {
			return nil, err
		}
	}
}

// etagOf is the ETag of the file that body reads. A part of a file does not tell
// which: then it is that of the file that has the name now, which is the same
// unless the object was replaced.
func etagOf(body io.Reader, bucket, key string) (string, error) {
	f, _ := body.(*os.File)
	etag, err := attributes{}.RetrieveAttribute(f, bucket, key, etagAttribute)
	return string(etag), err
}

// readable fails where a condition of a put cannot be looked at: the engine
// would go on as if it held.
func (r *rooted) readable(in s3response.PutObjectInput) error {
	if in.IfMatch == nil && in.IfNoneMatch == nil {
		return nil
	}
	_, err := attributes{}.RetrieveAttribute(nil, *in.Bucket, *in.Key, etagAttribute)
	if err == nil || errors.Is(err, meta.ErrNoSuchKey) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("read the ETag of the object to replace: %w", err)
}
