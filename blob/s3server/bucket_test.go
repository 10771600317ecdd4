package s3server

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

func TestPublicBucket(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "public", BucketOptions{Public: true})
	s.bucket(t, "named", BucketOptions{Public: true, AllowOrigins: []string{"https://www.example.com"}})
	s.bucket(t, "private", BucketOptions{})
	for _, b := range []string{"public", "named", "private"} {
		s.put(t, b, "a/b.json", `{"a":1}`)
	}
	origin := map[string]string{"Origin": "https://www.example.com"}
	other := map[string]string{"Origin": "https://evil.example"}
	preflight := func(from map[string]string) map[string]string {
		return map[string]string{"Origin": from["Origin"], "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-requested-with"}
	}
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		status             int
		allow              string // Access-Control-Allow-Origin
	}{
		{"anyone reads", "GET", "/public/a/b.json", nil, 200, ""},
		{"a page of another origin reads", "GET", "/public/a/b.json", origin, 200, "*"},
		{"preflight", "OPTIONS", "/public/a/b.json", preflight(origin), 200, "*"},
		{"the named origin reads", "GET", "/named/a/b.json", origin, 200, "https://www.example.com"},
		{"the named origin's preflight", "OPTIONS", "/named/a/b.json", preflight(origin), 200, "https://www.example.com"},
		{"another origin gets no leave", "GET", "/named/a/b.json", other, 200, ""},
		{"another origin's preflight", "OPTIONS", "/named/a/b.json", preflight(other), 403, ""},
		{"no listing", "GET", "/public", nil, 403, ""},
		{"no listing of buckets", "GET", "/", nil, 403, ""},
		{"no write", "PUT", "/public/new", nil, 403, ""},
		{"no delete", "DELETE", "/public/a/b.json", nil, 403, ""},
		{"no policy", "GET", "/public?policy", nil, 403, ""},
		{"private", "GET", "/private/a/b.json", nil, 403, ""},
		{"private, from a page", "GET", "/private/a/b.json", origin, 403, ""},
		{"private, absent", "GET", "/private/none", nil, 403, ""},
		{"out of a public bucket", "GET", "/public/../private/a/b.json", nil, 404, ""},
		{"out of a public bucket, escaped", "GET", "/public/..%2fprivate/a/b.json", nil, 404, ""},
		{"out of a public bucket, escaped twice", "GET", "/public/%2e%2e/private/a/b.json", nil, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := fetch(t, c.method, s.url+c.path, c.header)
			if res.StatusCode != c.status && !(c.status == 404 && res.StatusCode/100 == 4) {
				t.Errorf("%s, want %d\n%s", res.Status, c.status, body)
			}
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != c.allow {
				t.Errorf("allowed origin %q, want %q", got, c.allow)
			}
			if c.method == "GET" && res.StatusCode == 200 && body != `{"a":1}` {
				t.Errorf("body %q", body)
			}
			if strings.Contains(body, s.opts.Dir) {
				t.Errorf("the answer shows a path of the machine: %s", body)
			}
		})
	}
}

func TestMakeBucketFollowsTheOptions(t *testing.T) {
	s := open(t, t.TempDir())
	anonymous := func() int {
		res, _ := fetch(t, "GET", s.url+"/files/k", map[string]string{"Origin": "https://x.example"})
		return res.StatusCode
	}
	s.bucket(t, "files", BucketOptions{})
	s.put(t, "files", "k", "v")
	for i, step := range []struct {
		opts BucketOptions
		want int
	}{{BucketOptions{}, 403}, {BucketOptions{Public: true}, 200}, {BucketOptions{Public: true}, 200}, {BucketOptions{}, 403}} {
		s.bucket(t, "files", step.opts)
		if got := anonymous(); got != step.want {
			t.Errorf("step %d, %+v: anonymous GET answers %d, want %d", i, step.opts, got, step.want)
		}
	}
	if got := s.get(t, "files", "k"); got != "v" {
		t.Errorf("the object is now %q", got)
	}
	for _, bad := range []string{"", "A", "a", "../x", "a/b", "x_y", ".sgwtmp", "127.0.0.1", strings.Repeat("a", 64)} {
		if err := s.MakeBucket(t.Context(), bad, BucketOptions{}); err == nil {
			t.Errorf("bucket %q was made", bad)
		}
	}
}

func TestMakeBucketLeavesForeignRules(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	foreign := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::files"}]}`
	if _, err := s.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("files"), Policy: &foreign}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.s3.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{Bucket: aws.String("files"), CORSConfiguration: &types.CORSConfiguration{
		CORSRules: []types.CORSRule{{AllowedMethods: []string{"PUT"}, AllowedOrigins: []string{"https://a.example"}}},
	}}); err != nil {
		t.Fatal(err)
	}
	s.bucket(t, "files", BucketOptions{})
	got, err := s.s3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("files")})
	if err != nil || *got.Policy != foreign {
		t.Errorf("policy is now %v, %v", got, err)
	}
	if err := s.MakeBucket(t.Context(), "files", BucketOptions{Public: true}); err == nil || !strings.Contains(err.Error(), "delete-bucket-policy") {
		t.Errorf("public over a foreign policy: %v", err)
	}
	if err := s.MakeBucket(t.Context(), "files", BucketOptions{AllowOrigins: []string{"*"}}); err == nil || !strings.Contains(err.Error(), "delete-bucket-cors") {
		t.Errorf("origins over foreign rules: %v", err)
	}
}

func TestKeys(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	s.bucket(t, "other", BucketOptions{})
	s.put(t, "other", "secret", "untouched")
	good := []string{"a", "deep/er/and/deeper", "with space", "ünï/cødé", "a+b%2f&c=d;e", "...", "a..b", ".hidden", "quote'\"", "tab\there", strings.Repeat("x", 255)}
	for _, k := range good {
		s.put(t, "files", k, "content of "+k)
	}
	for _, k := range good {
		if got := s.get(t, "files", k); got != "content of "+k {
			t.Errorf("%q holds %q", k, got)
		}
	}
	want := map[string]bool{}
	for _, k := range good {
		want[k] = true
	}
	got := map[string]bool{}
	for _, k := range s.keys(t, "files") {
		got[k] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	for _, k := range []string{"../other/secret", "a/../b", "x//y", "./a", "x/.", "x/..", ".sgwtmp/x", ".sgwtmp/multipart/x", strings.Repeat("y", 256), "a/below-an-object"} {
		_, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: &k, Body: strings.NewReader("bad")})
		if err == nil {
			t.Errorf("%q was stored", k)
		}
		if code := codeOf(err); code == "InternalError" {
			t.Errorf("%q: %v", k, err)
		}
		if _, err := s.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: &k}); err == nil {
			t.Errorf("%q was read", k)
		}
		_, _ = s.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: &k})
		_, _ = s.s3.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("files"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: &k}}}})
	}
	if got := s.get(t, "other", "secret"); got != "untouched" {
		t.Errorf("the other bucket's object is now %q", got)
	}
	if diff := cmp.Diff(len(good), len(s.keys(t, "files"))); diff != "" {
		t.Error(diff)
	}
	// nothing outside the buckets' folders
	entries, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if n := e.Name(); n != "files" && n != "other" && n != ".vgwlocks" {
			t.Errorf("in the store's folder: %s", filepath.Join(s.opts.Dir, n))
		}
	}
}

func TestDeleteKeepsBucketAndNeighbours(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	for _, k := range []string{"a/b/c", "a/d", "e"} {
		s.put(t, "files", k, k)
	}
	for _, k := range []string{"a/b/c", "e", "absent"} {
		if _, err := s.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: &k}); err != nil {
			t.Errorf("delete %q: %v", k, err)
		}
	}
	if diff := cmp.Diff([]string{"a/d"}, s.keys(t, "files")); diff != "" {
		t.Error(diff)
	}
	_, err := s.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("files")})
	if got := codeOf(err); got != "BucketNotEmpty" {
		t.Errorf("deleting a bucket with an object: %s", got)
	}
	if _, err := s.s3.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("files"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("a/d")}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.s3.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("files")}); err != nil {
		t.Errorf("the bucket went with its last object: %v", err)
	}
	if _, err := s.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("files")}); err != nil {
		t.Error(err)
	}
	res, body := fetch(t, http.MethodGet, s.url+"/files/e", nil)
	if strings.Contains(body, s.opts.Dir) || res.StatusCode/100 != 4 {
		t.Errorf("a bucket that is gone: %s %s", res.Status, body)
	}
}
