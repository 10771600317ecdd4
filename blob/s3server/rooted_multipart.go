package s3server

import (
	"context"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

func (r *rooted) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	if err := keyOf(in.Key); err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	bucket := *in.Bucket
	in.Bucket = r.at(in.Bucket)
	out, err := r.posix.CreateMultipartUpload(ctx, in)
	out.Bucket = bucket
	return out, r.outward("CreateMultipartUpload", err)
}

// UploadPart syncs the part's content. Its name is not synced: an upload that a
// power cut interrupts is begun again, and only its completion promises an object.
func (r *rooted) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.UploadPartWithPostFunc(ctx, &c, r.sync)
	return out, r.outward("UploadPart", err)
}

func (r *rooted) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	c := *in
	c.Bucket = r.at(in.Bucket)
	left := 0
	if in.MultipartUpload != nil {
		left = len(in.MultipartUpload.Parts)
	}
	// The copy of the last part is the last moment before the object gets its name.
	// The engine takes an error there for a copy to be done in another way.
	if c.Key != nil {
		defer r.folders.hold(*c.Bucket, *c.Key)()
	}
	var unsynced error
	unlock := func() {}
	defer func() { unlock() }()
	out, version, err := r.posix.CompleteMultipartUploadWithCopy(ctx, &c, func(part, object *os.File) (bool, error) {
		if _, err := io.Copy(object, part); err != nil {
			return true, err
		}
		if left--; left == 0 {
			unsynced = r.sync(object)
			unlock = r.keys.lock(*c.Bucket, *c.Key)
		}
		return true, nil
	})
	unlock()
	out.Bucket = in.Bucket
	if err == nil {
		err = unsynced
	}
	if err != nil {
		return out, version, r.outward("CompleteMultipartUpload", err)
	}
	return out, version, r.outward("CompleteMultipartUpload", r.syncObject(*c.Bucket, *c.Key))
}

func (r *rooted) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	c := *in
	c.Bucket = r.at(in.Bucket)
	return r.outward("AbortMultipartUpload", r.posix.AbortMultipartUpload(ctx, &c))
}

func (r *rooted) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.ListMultipartUploads(ctx, &c)
	out.Bucket = *in.Bucket
	return out, r.outward("ListMultipartUploads", err)
}

func (r *rooted) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	c := *in
	c.Bucket = r.at(in.Bucket)
	out, err := r.posix.ListParts(ctx, &c)
	out.Bucket = *in.Bucket
	return out, r.outward("ListParts", err)
}
