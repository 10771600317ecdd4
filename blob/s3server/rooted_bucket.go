package s3server

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// onBucket runs a change to a bucket's own attributes and syncs them.
func (r *rooted) onBucket(operation, bucket string, change func(path string) error) error {
	path := r.path(bucket)
	if err := change(path); err != nil {
		return r.outward(operation, err)
	}
	return r.outward(operation, r.syncPath(path))
}

func (r *rooted) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.HeadBucket(ctx, &c)
	return out, r.outward("HeadBucket", err)
}

func (r *rooted) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if !utils.IsValidBucketName(*in.Bucket) {
		return s3err.GetBucketErr(s3err.ErrInvalidBucketName, *in.Bucket)
	}
	c := *in
	c.Bucket = r.at(in.Bucket)
	if err := r.posix.CreateBucket(ctx, &c, acl); err != nil {
		return r.outward("CreateBucket", err)
	}
	return r.outward("CreateBucket", r.syncPaths(*c.Bucket, r.dir))
}

func (r *rooted) DeleteBucket(ctx context.Context, bucket string) error {
	if err := r.posix.DeleteBucket(ctx, r.path(bucket)); err != nil {
		return r.outward("DeleteBucket", err)
	}
	return r.outward("DeleteBucket", r.syncPath(r.dir))
}

func (r *rooted) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.GetBucketAcl(ctx, &c)
	return out, r.outward("GetBucketAcl", err)
}

func (r *rooted) PutBucketAcl(ctx context.Context, bucket string, acl []byte) error {
	return r.onBucket("PutBucketAcl", bucket, func(p string) error { return r.posix.PutBucketAcl(ctx, p, acl) })
}

func (r *rooted) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	out, err := r.posix.GetBucketVersioning(ctx, r.path(bucket))
	return out, r.outward("GetBucketVersioning", err)
}

func (r *rooted) PutBucketVersioning(ctx context.Context, bucket string, status types.BucketVersioningStatus) error {
	return r.onBucket("PutBucketVersioning", bucket, func(p string) error { return r.posix.PutBucketVersioning(ctx, p, status) })
}

func (r *rooted) PutBucketPolicy(ctx context.Context, bucket string, policy []byte) error {
	return r.onBucket("PutBucketPolicy", bucket, func(p string) error { return r.posix.PutBucketPolicy(ctx, p, policy) })
}

func (r *rooted) GetBucketPolicy(ctx context.Context, bucket string) ([]byte, error) {
	out, err := r.posix.GetBucketPolicy(ctx, r.path(bucket))
	return out, r.outward("GetBucketPolicy", err)
}

func (r *rooted) DeleteBucketPolicy(ctx context.Context, bucket string) error {
	return r.onBucket("DeleteBucketPolicy", bucket, func(p string) error { return r.posix.DeleteBucketPolicy(ctx, p) })
}

func (r *rooted) PutBucketOwnershipControls(ctx context.Context, bucket string, o types.ObjectOwnership) error {
	return r.onBucket("PutBucketOwnershipControls", bucket, func(p string) error { return r.posix.PutBucketOwnershipControls(ctx, p, o) })
}

func (r *rooted) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	out, err := r.posix.GetBucketOwnershipControls(ctx, r.path(bucket))
	return out, r.outward("GetBucketOwnershipControls", err)
}

func (r *rooted) DeleteBucketOwnershipControls(ctx context.Context, bucket string) error {
	return r.onBucket("DeleteBucketOwnershipControls", bucket, func(p string) error { return r.posix.DeleteBucketOwnershipControls(ctx, p) })
}

func (r *rooted) PutBucketCors(ctx context.Context, bucket string, cors []byte) error {
	return r.onBucket("PutBucketCors", bucket, func(p string) error { return r.posix.PutBucketCors(ctx, p, cors) })
}

func (r *rooted) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	out, err := r.posix.GetBucketCors(ctx, r.path(bucket))
	return out, r.outward("GetBucketCors", err)
}

func (r *rooted) DeleteBucketCors(ctx context.Context, bucket string) error {
	return r.onBucket("DeleteBucketCors", bucket, func(p string) error { return r.posix.DeleteBucketCors(ctx, p) })
}

func (r *rooted) PutBucketTagging(ctx context.Context, bucket string, tags map[string]string) error {
	return r.onBucket("PutBucketTagging", bucket, func(p string) error { return r.posix.PutBucketTagging(ctx, p, tags) })
}

func (r *rooted) GetBucketTagging(ctx context.Context, bucket string) (map[string]string, error) {
	out, err := r.posix.GetBucketTagging(ctx, r.path(bucket))
	return out, r.outward("GetBucketTagging", err)
}

func (r *rooted) DeleteBucketTagging(ctx context.Context, bucket string) error {
	return r.onBucket("DeleteBucketTagging", bucket, func(p string) error { return r.posix.DeleteBucketTagging(ctx, p) })
}

// GetObjectLockConfiguration is asked before each delete.
func (r *rooted) GetObjectLockConfiguration(ctx context.Context, bucket string) ([]byte, error) {
	out, err := r.posix.GetObjectLockConfiguration(ctx, r.path(bucket))
	return out, r.outward("GetObjectLockConfiguration", err)
}
