package s3server

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/google/go-cmp/cmp"
)

const testKey, testSecret = "AKIATEST", "secret"

type site struct {
	*Server
	url string
	s3  *s3.Client
}

// open serves the folder over HTTP on a port of its own.
func open(t testing.TB, dir string) *site {
	t.Helper()
	s, err := Open(Options{Dir: dir, AccessKey: testKey, SecretKey: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return &site{Server: s, url: h.URL, s3: clientOf(h.URL, testSecret)}
}

func clientOf(url, secret string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(testKey, secret, ""),
	})
}

func (s *site) bucket(t testing.TB, name string, opts BucketOptions) {
	t.Helper()
	if err := s.MakeBucket(t.Context(), name, opts); err != nil {
		t.Fatal(err)
	}
}

func (s *site) put(t testing.TB, bucket, key, body string) {
	t.Helper()
	_, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

func (s *site) get(t testing.TB, bucket, key string) string {
	t.Helper()
	out, err := s.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return string(b)
}

func (s *site) keys(t testing.TB, bucket string) []string {
	t.Helper()
	out, err := s.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(out.Name); got != bucket {
		t.Errorf("listing of %q is named %q", bucket, got)
	}
	var keys []string
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

// fetch is a request as a browser sends it: unsigned.
func fetch(t testing.TB, method, url string, header map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestOpenRefusesBadOptions(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		opts Options
		want string
	}{
		"no folder":        {Options{AccessKey: "a", SecretKey: "b"}, "Dir is empty"},
		"no credentials":   {Options{Dir: dir}, "AccessKey and SecretKey"},
		"no secret":        {Options{Dir: dir, AccessKey: "a"}, "AccessKey and SecretKey"},
		"bad bound":        {Options{Dir: dir, AccessKey: "a", SecretKey: "b", MaxRequests: -1}, "MaxRequests is -1"},
		"a file":           {Options{Dir: file, AccessKey: "a", SecretKey: "b"}, "make the folder"},
		"below a file":     {Options{Dir: filepath.Join(file, "x"), AccessKey: "a", SecretKey: "b"}, "make the folder"},
		"no attributes":    {Options{Dir: "/proc/self", AccessKey: "a", SecretKey: "b"}, "write into the folder"},
		"nobody may write": {Options{Dir: "/sys/kernel", AccessKey: "a", SecretKey: "b"}, "write into the folder"},
		"name with a NUL":  {Options{Dir: dir + "/a\x00b", AccessKey: "a", SecretKey: "b"}, "make the folder"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(c.opts)
			if err == nil {
				s.Shutdown(context.Background())
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
}

func TestOpenLeavesTheProcessAlone(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	for i, s := range []*site{a, b} {
		s.bucket(t, "files", BucketOptions{})
		s.put(t, "files", "which", fmt.Sprint(i))
	}
	if after, _ := os.Getwd(); after != before {
		t.Errorf("working directory was %s, is %s", before, after)
	}
	for i, s := range []*site{a, b} {
		if got := s.get(t, "files", "which"); got != fmt.Sprint(i) {
			t.Errorf("store %d holds %q: two stores in one process are mixed up", i, got)
		}
	}
}

// TestOutput runs a store in a process of its own and looks at what it prints.
func TestOutput(t *testing.T) {
	if dir := os.Getenv("S3SERVER_TEST_DIR"); dir != "" {
		s := open(t, dir)
		s.bucket(t, "files", BucketOptions{Public: true})
		s.put(t, "files", "a", "b")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestOutput$")
	cmd.Env = append(os.Environ(), "S3SERVER_TEST_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != "PASS" && !strings.HasPrefix(got, "PASS\ncoverage:") {
		t.Errorf("the store printed:\n%s", out)
	}
}

func TestProve(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Prove(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := s.s3.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(out.Buckets) != 0 {
		t.Errorf("after a proof: buckets %v, error %v", out.Buckets, err)
	}
	if err := os.RemoveAll(s.opts.Dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Prove(t.Context()); err == nil {
		t.Error("a store whose folder is gone proved itself")
	}
}

func TestWrongSecret(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	_, err := clientOf(s.url, "other").ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if got := codeOf(err); got != "SignatureDoesNotMatch" {
		t.Errorf("wrong secret: %s", got)
	}
}

func TestRestartKeepsObjects(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.bucket(t, "files", BucketOptions{Public: true})
	_, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("files"), Key: aws.String("deep/er/key"), Body: strings.NewReader("kept"),
		ContentType: aws.String("text/x-kept"), Metadata: map[string]string{"who": "me"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if res, _ := fetch(t, "GET", s.url+"/files/deep/er/key", nil); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after Shutdown: %s", res.Status)
	}

	s = open(t, dir)
	s.bucket(t, "files", BucketOptions{Public: true})
	out, err := s.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("deep/er/key")})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(out.Body)
	if string(body) != "kept" || aws.ToString(out.ContentType) != "text/x-kept" || out.Metadata["who"] != "me" {
		t.Errorf("after a restart: %q %q %v", body, aws.ToString(out.ContentType), out.Metadata)
	}
	if res, body := fetch(t, "GET", s.url+"/files/deep/er/key", nil); res.StatusCode != 200 || body != "kept" {
		t.Errorf("after a restart, anonymous: %s %q", res.Status, body)
	}
}

// TestCutUpload closes the connection in the middle of a body.
func TestCutUpload(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	s.put(t, "files", "key", "before")
	signed, err := s3.NewPresignClient(s.s3).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: aws.String("key")})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	target := strings.TrimPrefix(signed.URL, s.url)
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000\r\n\r\n", target, strings.TrimPrefix(s.url, "http://"))
	if _, err := conn.Write(bytes.Repeat([]byte("x"), 300_000)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	// Shutdown returns when the cut request has been dealt with.
	dir := s.opts.Dir
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if got := s.get(t, "files", "key"); got != "before" {
		t.Errorf("after a cut upload the object is %d bytes", len(got))
	}
	if diff := cmp.Diff([]string{"key"}, s.keys(t, "files")); diff != "" {
		t.Error(diff)
	}
}

// TestShutdownWaits holds a request open across Shutdown.
func TestShutdownWaits(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	pr, pw := io.Pipe()
	signed, err := s3.NewPresignClient(s.s3).PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: aws.String("slow")})
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{}) // closed when the store reads the body
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &firstRead{ReadCloser: r.Body, seen: sync.OnceFunc(func() { close(read) })}
		s.ServeHTTP(w, r)
	}))
	defer front.Close()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", strings.Replace(signed.URL, s.url, front.URL, 1), pr)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength, req.Host = 4, strings.TrimPrefix(s.url, "http://") // the host that was signed
	done := make(chan string, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			done <- err.Error()
			return
		}
		res.Body.Close()
		done <- res.Status
	}()
	pw.Write([]byte("sl")) // returns when the request is being sent
	<-read
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(t.Context()) }()
	waitFor(t, func() bool { res, _ := fetch(t, "GET", s.url, nil); return res.StatusCode == 503 })
	select {
	case err := <-stopped:
		t.Fatalf("Shutdown returned (%v) with a request under way", err)
	default:
	}
	pw.Write([]byte("ow"))
	pw.Close()
	if got := <-done; got != "200 OK" {
		t.Errorf("the request under way: %s", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

type firstRead struct {
	io.ReadCloser
	seen func()
}

func (r *firstRead) Read(p []byte) (int, error) { r.seen(); return r.ReadCloser.Read(p) }

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 10 s")
		}
		time.Sleep(time.Millisecond)
	}
}

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

func TestClients(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "public", BucketOptions{Public: true})
	s.bucket(t, "private", BucketOptions{})
	scripts := filepath.Join(need.Root(t), "test", "clients")
	env := append(os.Environ(),
		"AWS_ENDPOINT_URL="+s.url, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_ACCESS_KEY_ID="+testKey, "AWS_SECRET_ACCESS_KEY="+testSecret, "BUCKET=private", "PUBLIC_BUCKET=public")
	for script, modules := range map[string][]string{"s3_boto3.py": {"boto3"}, "s3_awscli.py": {"awscli"}} {
		t.Run(script, func(t *testing.T) {
			cmd := exec.Command(need.Python(t, modules...), filepath.Join(scripts, script))
			cmd.Env = env
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
