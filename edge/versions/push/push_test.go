package push

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/edge"
)

// store is an S3 store of our own with a bucket named files.
func store(t *testing.T) *s3.Client {
	t.Helper()
	s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: "AKIATEST", SecretKey: "secret"})
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
	if err := s.MakeBucket(t.Context(), "files", s3server.BucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return s3.New(s3.Options{BaseEndpoint: &h.URL, UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})
}

// TestPush uploads a folder in the order of references, once.
func TestPush(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"index.html": `<link rel=stylesheet href=app.css>`, "app.css": "a{b:url(x.png)}" + strings.Repeat("/* long */", 200), "x.png": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, _, err := edge.ReadStatic(edge.Static{Dir: dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	address := map[string]string{}
	for _, f := range files {
		address[f.Name] = f.Address
	}
	client := store(t)
	push := func(o Options, present int, want ...string) {
		t.Helper()
		o.Bucket, o.Key = "files", "site/"
		r, err := Push(t.Context(), client, files, o)
		if err != nil || r.Present != present {
			t.Errorf("%d present, %v", r.Present, err)
		}
		var got []string
		for _, x := range r.Uploaded {
			got = append(got, strings.TrimPrefix(x.Key, "site/static/"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	order := []string{address["x.png"], address["app.css"], address["index.html"], "x.png", "app.css", "index.html"}
	push(Options{DryRun: true}, 0, order...)
	push(Options{}, 0, order...)
	push(Options{}, 6)
	push(Options{Siblings: true}, 6, address["app.css"]+".br", address["app.css"]+".gz")
	push(Options{Force: true}, 0, order...)
	a, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("files"), Key: aws.String("site/static/" + address["app.css"] + ".br")})
	if err != nil || aws.ToString(a.ContentEncoding) != "br" || aws.ToString(a.CacheControl) != immutable || aws.ToString(a.ContentType) != "text/css; charset=utf-8" {
		t.Errorf("%+v, %v", a, err)
	}
	push(Options{Siblings: true}, 8)
	if err := os.WriteFile(filepath.Join(dir, "x.png"), []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	if files, _, err = edge.ReadStatic(edge.Static{Dir: dir}, nil); err != nil {
		t.Fatal(err)
	}
	order = nil
	for _, f := range files {
		order = append(order, f.Address)
	}
	push(Options{}, 0, append(slices.Clone(order), "x.png", "app.css", "index.html")...)
}
