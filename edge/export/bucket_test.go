package export

import (
	"context"
	"io"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/blob/s3server"
)

// store is an S3 store of our own with a bucket named copy.
func store(t *testing.T) *s3.Client {
	t.Helper()
	s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: "AKIATEST", SecretKey: "secret", Region: "eu-central-1"})
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
	if err := s.MakeBucket(t.Context(), "copy", s3server.BucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return s3.New(s3.Options{BaseEndpoint: &h.URL, UsePathStyle: true, Region: "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})
}

func TestBucket(t *testing.T) {
	site, client := shop(t), store(t)
	write := func(prune, dry bool, skip ...string) Report {
		t.Helper()
		s := read(t, site.URL, func(o *Options) { o.Layout, o.Skip = Addresses, append(o.Skip, skip...) })
		b, err := OpenBucket(t.Context(), client, BucketOptions{Name: "copy", Prefix: "/www/", Prune: prune, Dry: dry})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		return s.Report
	}
	keys := func() (all []string) {
		t.Helper()
		l, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("copy")})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range l.Contents {
			all = append(all, aws.ToString(o.Key))
		}
		return all
	}
	if r := write(false, true); r.Written != 14 || len(keys()) != 0 {
		t.Errorf("a rehearsal: %+v, and %q are there", r, keys())
	}
	if r := write(false, false); r.Written != 14 || r.Files != 14 || len(keys()) != 15 {
		t.Errorf("the first: %+v, %q", r, keys())
	}
	o, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("copy"), Key: aws.String("www/about")})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	body, err := io.ReadAll(o.Body)
	if err != nil || string(body) != `<form action="/contact" method=post></form><a href="./">Home</a>` ||
		aws.ToString(o.ContentType) != "text/html; charset=utf-8" || aws.ToString(o.CacheControl) != "max-age=60" {
		t.Errorf("%s, %s, %s, %v", body, aws.ToString(o.ContentType), aws.ToString(o.CacheControl), err)
	}
	// Somebody changes one object and removes another: both are put again, no other.
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("copy"), Key: aws.String("www/about")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("copy"), Key: aws.String("www/hidden")}); err != nil {
		t.Fatal(err)
	}
	if r := write(false, false); r.Written != 2 || len(keys()) != 15 {
		t.Errorf("the second: %+v", r)
	}
	if r := write(false, false); r.Written != 0 {
		t.Errorf("the third: %+v", r)
	}
	stale := []string{"hidden", "list@page=2", "list@page=3"}
	if r := write(false, false, "/hidden", "/list*"); !slices.Equal(r.Stale, stale) || r.Pruned || len(keys()) != 15 {
		t.Errorf("without some: %+v", r)
	}
	if r := write(true, true, "/hidden", "/list*"); !slices.Equal(r.Stale, stale) || r.Pruned || len(keys()) != 15 {
		t.Errorf("a rehearsal of pruning: %+v", r)
	}
	if r := write(true, false, "/hidden", "/list*"); !slices.Equal(r.Stale, stale) || !r.Pruned || slices.Contains(keys(), "www/hidden") || len(keys()) != 12 {
		t.Errorf("pruned: %+v, %q", r, keys())
	}
	if r := write(true, false, "/hidden", "/list*"); len(r.Stale) != 0 || r.Written != 1 && r.Written != 0 {
		t.Errorf("after that: %+v", r)
	}
}
