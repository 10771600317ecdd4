package s3server

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// source opens what a copy reads. The engine's own copy cannot be used: it takes
// the source's bucket for a path relative to the working directory.
func (r *rooted) source(ctx context.Context, header, byteRange string) (*s3.GetObjectOutput, string, string, error) {
	bucket, key, version, err := backend.ParseCopySource(header)
	if err != nil {
		return nil, "", "", err
	}
	if version != "" {
		return nil, "", "", s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, version)
	}
	if _, err := r.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
		return nil, "", "", err
	}
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled}
	if byteRange != "" {
		in.Range = &byteRange
	}
	out, err := r.GetObject(ctx, in)
	return out, bucket, key, err
}

// CopyObject reads the source and writes it as a new object: a copy is as
// durable, and as atomic, as a put.
func (r *rooted) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	var none s3response.CopyObjectOutput
	if err := keyOf(in.Key); err != nil {
		return none, err
	}
	src, bucket, key, err := r.source(ctx, *in.CopySource, "")
	if err != nil {
		return none, err
	}
	defer src.Body.Close()
	if bucket == *in.Bucket && key == *in.Key && in.MetadataDirective != types.MetadataDirectiveReplace {
		return none, s3err.GetAPIError(s3err.ErrInvalidCopyDest)
	}
	if src.ContentLength != nil && *src.ContentLength > copyLimit {
		return none, s3err.GetCopySourceObjectTooLargeErr(copyLimit)
	}
	if err := matches(src, in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in); err != nil {
		return none, err
	}
	put := copied(src, in)
	if in.TaggingDirective != types.TaggingDirectiveReplace {
		if put.Tagging, err = r.tagsOf(ctx, bucket, key); err != nil {
			return none, err
		}
	}
	out, err := r.PutObject(ctx, put)
	if err != nil {
		return none, err
	}
	head, err := r.HeadObject(ctx, &s3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key})
	if err != nil {
		return none, err
	}
	return s3response.CopyObjectOutput{CopyObjectResult: &s3response.CopyObjectResult{
		ETag: &out.ETag, LastModified: head.LastModified, ChecksumType: out.ChecksumType,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
		ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
	}}, nil
}

// copied is the put that makes the copy, tags aside.
func copied(src *s3.GetObjectOutput, in s3response.CopyObjectInput) s3response.PutObjectInput {
	put := s3response.PutObjectInput{
		Bucket: in.Bucket, Key: in.Key, Body: src.Body, ContentLength: src.ContentLength,
		ChecksumAlgorithm:       in.ChecksumAlgorithm,
		WebsiteRedirectLocation: in.WebsiteRedirectLocation,
		Tagging:                 in.Tagging,
	}
	if put.ChecksumAlgorithm == "" {
		put.ChecksumAlgorithm = checksumOf(src)
	}
	if in.MetadataDirective == types.MetadataDirectiveReplace {
		put.ContentType, put.ContentEncoding, put.ContentDisposition = in.ContentType, in.ContentEncoding, in.ContentDisposition
		put.ContentLanguage, put.CacheControl, put.Expires, put.Metadata = in.ContentLanguage, in.CacheControl, in.Expires, in.Metadata
	} else {
		put.ContentType, put.ContentEncoding, put.ContentDisposition = src.ContentType, src.ContentEncoding, src.ContentDisposition
		put.ContentLanguage, put.CacheControl, put.Expires, put.Metadata = src.ContentLanguage, src.CacheControl, src.ExpiresString, src.Metadata
	}
	return put
}

func matches(src *s3.GetObjectOutput, match, noneMatch *string, in s3response.CopyObjectInput) error {
	return backend.EvaluatePreconditions(*src.ETag, *src.LastModified, backend.PreConditions{
		IfMatch: match, IfNoneMatch: noneMatch,
		IfModSince: in.CopySourceIfModifiedSince, IfUnmodeSince: in.CopySourceIfUnmodifiedSince,
	})
}

// checksumOf names the checksum that the source carries, so that its copy does too.
func checksumOf(src *s3.GetObjectOutput) types.ChecksumAlgorithm {
	switch {
	case src.ChecksumCRC32 != nil:
		return types.ChecksumAlgorithmCrc32
	case src.ChecksumCRC32C != nil:
		return types.ChecksumAlgorithmCrc32c
	case src.ChecksumSHA1 != nil:
		return types.ChecksumAlgorithmSha1
	case src.ChecksumSHA256 != nil:
		return types.ChecksumAlgorithmSha256
	}
	return types.ChecksumAlgorithmCrc64nvme
}

func (r *rooted) tagsOf(ctx context.Context, bucket, key string) (*string, error) {
	tags, err := r.GetObjectTagging(ctx, bucket, key, "")
	if err != nil {
		if notSet(err) {
			return nil, nil
		}
		return nil, err
	}
	values := url.Values{}
	for k, v := range tags {
		values.Set(k, v)
	}
	encoded := values.Encode()
	return &encoded, nil
}

// UploadPartCopy reads a range of the source and writes it as a part.
func (r *rooted) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	var none s3response.CopyPartResult
	byteRange := ""
	if in.CopySourceRange != nil {
		byteRange = *in.CopySourceRange
	}
	if byteRange != "" { // GetObject would shorten a range that reaches past the end
		whole, _, _, err := r.source(ctx, *in.CopySource, "")
		if err != nil {
			return none, err
		}
		whole.Body.Close()
		if _, _, err := backend.ParseCopySourceRange(*whole.ContentLength, byteRange); err != nil {
			return none, err
		}
	}
	src, _, _, err := r.source(ctx, *in.CopySource, byteRange)
	if err != nil {
		return none, err
	}
	defer src.Body.Close()
	if err := matches(src, in.CopySourceIfMatch, in.CopySourceIfNoneMatch, s3response.CopyObjectInput{
		CopySourceIfModifiedSince: in.CopySourceIfModifiedSince, CopySourceIfUnmodifiedSince: in.CopySourceIfUnmodifiedSince,
	}); err != nil {
		return none, err
	}
	out, err := r.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, PartNumber: in.PartNumber,
		Body: src.Body, ContentLength: src.ContentLength,
	})
	if err != nil {
		return none, err
	}
	return s3response.CopyPartResult{ETag: out.ETag, LastModified: *src.LastModified,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
		ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256}, nil
}
