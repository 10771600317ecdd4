package blob_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/google/go-cmp/cmp"
	gcblob "gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// serve starts a store with one bucket and points the AWS SDK at it by the
// environment, as `dayfly up` does for an application.
func serve(t *testing.T) *gcblob.Bucket {
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
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": h.URL, "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
	if err := s.MakeBucket(t.Context(), "files", s3server.BucketOptions{}); err != nil {
		t.Fatal(err)
	}
	b, err := blob.Open(t.Context(), "files", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestOpenWithoutName(t *testing.T) {
	if _, err := blob.Open(t.Context(), "", nil); err == nil || !strings.Contains(err.Error(), "BUCKET_") {
		t.Errorf("error %v does not say where the name comes from", err)
	}
}

func TestReadWrite(t *testing.T) {
	b, ctx := serve(t), t.Context()
	opts := &gcblob.WriterOptions{ContentType: "text/x", CacheControl: "no-store", Metadata: map[string]string{"kind": "test"}}
	if err := b.WriteAll(ctx, "dir/a", []byte("content"), opts); err != nil {
		t.Fatal(err)
	}
	got, err := b.ReadAll(ctx, "dir/a")
	if err != nil || string(got) != "content" {
		t.Fatalf("%q, %v", got, err)
	}
	attrs, err := b.Attributes(ctx, "dir/a")
	if err != nil {
		t.Fatal(err)
	}
	if attrs.ContentType != "text/x" || attrs.CacheControl != "no-store" || attrs.Size != 7 {
		t.Errorf("attributes %+v", attrs)
	}
	if diff := cmp.Diff(opts.Metadata, attrs.Metadata); diff != "" {
		t.Error(diff)
	}
	r, err := b.NewRangeReader(ctx, "dir/a", 3, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	part, _ := io.ReadAll(r)
	r.Close()
	if string(part) != "te" {
		t.Errorf("range %q", part)
	}
	if err := b.Copy(ctx, "b", "dir/a", nil); err != nil {
		t.Fatal(err)
	}
	if ok, err := b.Exists(ctx, "b"); !ok || err != nil {
		t.Errorf("copy exists: %v, %v", ok, err)
	}
	if err := b.Delete(ctx, "dir/a"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadAll(ctx, "dir/a"); gcerrors.Code(err) != gcerrors.NotFound {
		t.Errorf("after delete: %v", err)
	}
	if err := b.Delete(ctx, "dir/a"); gcerrors.Code(err) != gcerrors.NotFound {
		t.Errorf("second delete: %v", err)
	}
}

func TestIfNotExist(t *testing.T) {
	b, ctx := serve(t), t.Context()
	opts := &gcblob.WriterOptions{IfNotExist: true}
	if err := b.WriteAll(ctx, "k", []byte("first"), opts); err != nil {
		t.Fatal(err)
	}
	if err := b.WriteAll(ctx, "k", []byte("second"), opts); gcerrors.Code(err) != gcerrors.FailedPrecondition {
		t.Errorf("second write: %v", err)
	}
	if got, _ := b.ReadAll(ctx, "k"); string(got) != "first" {
		t.Errorf("holds %q", got)
	}
}

// TestKeys shows which keys the embedded store takes through this API, and that it
// refuses the others instead of storing them under another name.
func TestKeys(t *testing.T) {
	b, ctx := serve(t), t.Context()
	keys := []string{"../up", "a/../b", "nul\x00byte", "line\nbreak", "ünï", "a b+c%20&d", "__0x2e__", "back\\slash", strings.Repeat("long/", 150) + "x"}
	for _, k := range keys {
		if err := b.WriteAll(ctx, k, []byte(k), nil); err != nil {
			t.Errorf("write %q: %v", k, err)
		}
	}
	for _, k := range []string{"x//y", "/x", "folder/", strings.Repeat("y", 256)} {
		if err := b.WriteAll(ctx, k, []byte("content"), nil); err == nil {
			t.Errorf("%q was stored", k)
		}
	}
	found := map[string]bool{}
	for it := b.List(nil); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[o.Key] = true
	}
	for _, k := range keys {
		if got, err := b.ReadAll(ctx, k); err != nil || string(got) != k {
			t.Errorf("read %q: %q, %v", k, got, err)
		}
		if !found[k] {
			t.Errorf("%q is not listed", k)
		}
	}
}

func TestListInPages(t *testing.T) {
	b, ctx := serve(t), t.Context()
	for i := range 25 {
		if err := b.WriteAll(ctx, fmt.Sprintf("p/%d/%02d", i%3, i), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for token := gcblob.FirstPageToken; token != nil; {
		page, next, err := b.ListPage(ctx, token, 7, &gcblob.ListOptions{Prefix: "p/1/"})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			keys = append(keys, o.Key)
		}
		token = next
	}
	if len(keys) != 8 || keys[0] != "p/1/01" || keys[7] != "p/1/22" {
		t.Errorf("keys %q", keys)
	}
}
