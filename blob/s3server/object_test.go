package s3server

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestConditionalWrites(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	put := func(body string, match, noneMatch *string) (string, string) {
		out, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("files"), Key: aws.String("k"), Body: strings.NewReader(body), IfMatch: match, IfNoneMatch: noneMatch,
		})
		if err != nil {
			return "", codeOf(err)
		}
		return *out.ETag, ""
	}
	etag, code := put("one", nil, aws.String("*"))
	if code != "" {
		t.Fatal(code)
	}
	if _, code := put("two", nil, aws.String("*")); code != "PreconditionFailed" {
		t.Errorf("If-None-Match of an object that is there: %q", code)
	}
	if _, code := put("three", aws.String(`"0123"`), nil); code != "PreconditionFailed" {
		t.Errorf("If-Match of another ETag: %q", code)
	}
	if _, code := put("four", &etag, nil); code != "" {
		t.Errorf("If-Match of the ETag: %q", code)
	}
	if got := s.get(t, "files", "k"); got != "four" {
		t.Errorf("holds %q", got)
	}
}

// TestOneCreator has many writers create one object; one may succeed.
func TestOneCreator(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	const writers = 16
	codes := make(chan string, writers)
	for i := range writers {
		go func() {
			_, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String("files"), Key: aws.String("once"), Body: strings.NewReader(fmt.Sprint(i)), IfNoneMatch: aws.String("*"),
			})
			if err == nil {
				codes <- "created"
				return
			}
			codes <- codeOf(err)
		}()
	}
	got := map[string]int{}
	for range writers {
		got[<-codes]++
	}
	if got["created"] != 1 || got["created"]+got["PreconditionFailed"]+got["ConditionalRequestConflict"] != writers {
		t.Errorf("outcomes %v", got)
	}
}

func TestMultipart(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	bucket, key := aws.String("files"), aws.String("big/file")
	ctx := t.Context()
	up, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, Metadata: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if *up.Bucket != "files" {
		t.Errorf("upload's bucket is %q", *up.Bucket)
	}
	whole := make([]byte, 5<<20+5<<20+1234)
	rand.Read(whole)
	var parts []types.CompletedPart
	for i, b := range [][]byte{whole[:5<<20], whole[5<<20 : 10<<20], whole[10<<20:]} {
		n := aws.Int32(int32(i + 1))
		out, err := s.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: n, Body: bytes.NewReader(b)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: n, ChecksumCRC32: out.ChecksumCRC32})
	}
	if got := s.keys(t, "files"); got != nil {
		t.Errorf("objects before the upload is complete: %q", got)
	}
	ups, err := s.s3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil || len(ups.Uploads) != 1 || *ups.Bucket != "files" {
		t.Errorf("uploads %v, error %v", ups, err)
	}
	done, err := s.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *done.Bucket != "files" || strings.Contains(aws.ToString(done.Location), s.opts.Dir) {
		t.Errorf("completed as %q at %q", *done.Bucket, aws.ToString(done.Location))
	}
	if got := s.get(t, "files", *key); got != string(whole) {
		t.Errorf("the object differs (%d bytes)", len(got))
	}
	rng, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, Range: aws.String("bytes=5242870-5242889")})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(rng.Body)
	if !bytes.Equal(got, whole[5242870:5242890]) || rng.Metadata["a"] != "b" {
		t.Errorf("range: %d bytes, metadata %v", len(got), rng.Metadata)
	}
	_, err = s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key, Range: aws.String("bytes=99999999-")})
	if c := codeOf(err); c != "InvalidRange" {
		t.Errorf("range past the end: %s", c)
	}
}

func TestCopy(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	s.bucket(t, "other", BucketOptions{})
	ctx := t.Context()
	_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("files"), Key: aws.String("a b+c/ü"), Body: strings.NewReader("content"), ContentType: aws.String("text/x"),
		CacheControl: aws.String("max-age=9"), Metadata: map[string]string{"m": "1"}, Tagging: aws.String("t=u%20v"),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	if err != nil {
		t.Fatal(err)
	}
	source := aws.String("files/a%20b%2Bc/%C3%BC")
	if _, err := s.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("other"), Key: aws.String("x/y"), CopySource: source}); err != nil {
		t.Fatal(err)
	}
	out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("other"), Key: aws.String("x/y")})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(out.Body)
	tags, err := s.s3.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String("other"), Key: aws.String("x/y")})
	if err != nil || len(tags.TagSet) != 1 || *tags.TagSet[0].Value != "u v" {
		t.Errorf("tags of the copy: %v, %v", tags, err)
	}
	if string(body) != "content" || *out.ContentType != "text/x" || *out.CacheControl != "max-age=9" || out.Metadata["m"] != "1" {
		t.Errorf("copy: %q %q %v", body, *out.ContentType, out.Metadata)
	}
	self := &s3.CopyObjectInput{Bucket: aws.String("files"), Key: aws.String("a b+c/ü"), CopySource: source}
	if _, err := s.s3.CopyObject(ctx, self); codeOf(err) != "InvalidRequest" {
		t.Errorf("copy onto itself: %v", err)
	}
	self.MetadataDirective, self.Metadata = types.MetadataDirectiveReplace, map[string]string{"m": "2"}
	if _, err := s.s3.CopyObject(ctx, self); err != nil {
		t.Fatal(err)
	}
	head, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: self.Bucket, Key: self.Key})
	if err != nil || head.Metadata["m"] != "2" || *head.ContentLength != 7 {
		t.Errorf("after new metadata: %v %v", head, err)
	}
	for src, want := range map[string]string{"files/none": "NoSuchKey", "nowhere/x": "NoSuchBucket", "files/../other/x/y": "NoSuchKey"} {
		_, err := s.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("other"), Key: aws.String("z"), CopySource: &src})
		if got := codeOf(err); got != want && got != "InvalidArgument" {
			t.Errorf("copy of %q: %s, want %s", src, got, want)
		}
		if err != nil && strings.Contains(err.Error(), s.opts.Dir) {
			t.Errorf("copy of %q: the error shows a path of the machine: %v", src, err)
		}
	}
	if _, err := s.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("other"), Key: aws.String("z"), CopySource: source, CopySourceIfMatch: aws.String(`"x"`)}); codeOf(err) != "PreconditionFailed" {
		t.Errorf("copy on a condition that does not hold: %v", err)
	}
}

func TestPartCopy(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	ctx, bucket, key := t.Context(), aws.String("files"), aws.String("joined")
	whole := strings.Repeat("0123456789", 600_000)
	s.put(t, "files", "src", whole)
	up, err := s.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for i, r := range []string{"bytes=0-5242879", "bytes=5242880-5999999"} {
		n := aws.Int32(int32(i + 1))
		out, err := s.s3.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: n, CopySource: aws.String("files/src"), CopySourceRange: &r})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{ETag: out.CopyPartResult.ETag, PartNumber: n})
	}
	if _, err := s.s3.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(3), CopySource: aws.String("files/src"), CopySourceRange: aws.String("bytes=5-9999999")}); codeOf(err) != "InvalidArgument" {
		t.Errorf("range past the end of the source: %v", err)
	}
	if _, err := s.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "files", "joined"); got != whole {
		t.Errorf("joined object differs (%d bytes)", len(got))
	}
}

func TestPresigned(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	pre := s3.NewPresignClient(s.s3)
	put, err := pre.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: aws.String("a b")})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "PUT", put.URL, strings.NewReader("by a form"))
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("presigned PUT: %v %v", res, err)
	}
	res.Body.Close()
	get, err := pre.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("a b")})
	if err != nil {
		t.Fatal(err)
	}
	if res, body := fetch(t, "GET", get.URL, nil); res.StatusCode != 200 || body != "by a form" {
		t.Errorf("presigned GET: %s %q", res.Status, body)
	}
	if res, _ := fetch(t, "GET", strings.Replace(get.URL, "a%20b", "a%20c", 1), nil); res.StatusCode != 403 {
		t.Errorf("presigned GET of another key: %s", res.Status)
	}
}
