package s3server

import (
	"bytes"
	"context"
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
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
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
	for deadline := time.Now().Add(5 * time.Minute); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within five minutes")
		}
		time.Sleep(time.Millisecond)
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
