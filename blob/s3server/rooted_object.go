package s3server

import (
	"context"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

func (r *rooted) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if err := keyOf(in.Key); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	in.Bucket = r.at(in.Bucket)
	defer r.folders.hold(*in.Bucket, *in.Key)()
	unlock := func() {}
	defer func() { unlock() }()
	out, err := r.posix.PutObjectWithPostFunc(ctx, in, func(f *os.File) error {
		if err := r.sync(f); err != nil {
			return err
		}
		unlock = r.keys.lock(*in.Bucket, *in.Key)
		return r.readable(in)
	})
	unlock()
	if err != nil {
		return out, r.outward("PutObject", err)
	}
	return out, r.outward("PutObject", r.syncObject(*in.Bucket, *in.Key))
}

func (r *rooted) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if keyOf(in.Key) != nil {
		return nil, s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.getWhole(ctx, &c)
	return out, r.outward("GetObject", err)
}

func (r *rooted) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	if keyOf(in.Key) != nil {
		return nil, s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.HeadObject(ctx, &c)
	return out, r.outward("HeadObject", err)
}

func (r *rooted) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	if keyOf(in.Key) != nil {
		return s3response.GetObjectAttributesResponse{}, s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.GetObjectAttributes(ctx, &c)
	return out, r.outward("GetObjectAttributes", err)
}

func (r *rooted) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.ListObjects(ctx, &c)
	out.Name = in.Bucket
	return out, r.outward("ListObjects", err)
}

func (r *rooted) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.ListObjectsV2(ctx, &c)
	out.Name = in.Bucket
	return out, r.outward("ListObjectsV2", err)
}

func (r *rooted) GetObjectTagging(ctx context.Context, bucket, key, version string) (map[string]string, error) {
	if keyProblem(key) != nil {
		return nil, s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	out, err := r.posix.GetObjectTagging(ctx, r.path(bucket), key, version)
	return out, r.outward("GetObjectTagging", err)
}

func (r *rooted) PutObjectTagging(ctx context.Context, bucket, key, version string, tags map[string]string) error {
	if keyProblem(key) != nil {
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	path := r.path(bucket)
	if err := r.posix.PutObjectTagging(ctx, path, key, version, tags); err != nil {
		return r.outward("PutObjectTagging", err)
	}
	return r.outward("PutObjectTagging", r.syncPath(filepath.Join(path, key)))
}

func (r *rooted) DeleteObjectTagging(ctx context.Context, bucket, key, version string) error {
	return r.PutObjectTagging(ctx, bucket, key, version, nil)
}
