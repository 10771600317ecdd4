package app

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/app/manifest"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// withObjects is an app that has come as far as its buckets.
func withObjects(t *testing.T, m *manifest.Manifest, environ ...string) *App {
	t.Helper()
	x, err := findExternal(environMap(environ))
	if err != nil {
		t.Fatal(err)
	}
	a := &App{manifest: m, log: slog.New(slog.DiscardHandler), environ: environMap(environ), external: x,
		keys: keys{AccessKey: "AKIATEST", SecretKey: "secret"}}
	s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: a.keys.AccessKey, SecretKey: a.keys.SecretKey, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	a.onStop("objects", s.Shutdown)
	a.variables.set("AWS_ENDPOINT_URL", h.URL)
	a.buckets = &buckets{app: a, server: s}
	if x.AWS {
		a.buckets.server = nil
	}
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		h.Close()
	})
	if err := a.startBuckets(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestPayloadsSwept: what is long over is deleted, and so are uploads that were
// begun and never finished; what is not stays.
func TestPayloadsSwept(t *testing.T) {
	a := withObjects(t, &manifest.Manifest{Name: "shop", Queue: map[string]*manifest.Queue{"default": {}}})
	ctx, bucket, key := t.Context(), manifest.PayloadsBucket, "tasks/2026-11-21/cut-off"
	if err := a.startPayloads(ctx); err != nil {
		t.Fatal(err)
	}
	if got := a.variables.get("PAYLOADS_URL"); got != "s3://dayfly-payloads" {
		t.Errorf("PAYLOADS_URL is %q", got)
	}
	r, err := a.payloads.Refer([]byte("{}"), time.Time{})
	if err == nil {
		err = a.payloads.Put(ctx, r, []byte("{}"))
	}
	if err == nil {
		_, err = a.buckets.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after   time.Duration
		uploads int
		kept    bool
	}{{0, 1, true}, {23 * time.Hour, 1, true}, {25 * time.Hour, 0, true}, {payload.Retention, 0, true}, {payload.Retention + 48*time.Hour, 0, false}} {
		a.sweepPayloads(ctx, bucket, time.Now().Add(c.after))
		list, err := a.buckets.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.payloads.Load(ctx, r); len(list.Uploads) != c.uploads || (err == nil) != c.kept {
			t.Errorf("after %v: %d uploads, payload: %v", c.after, len(list.Uploads), err)
		}
	}
}

// TestPayloadsElsewhere: on S3 the bucket has the application's name, or is the
// one that the environment names.
func TestPayloadsElsewhere(t *testing.T) {
	m := &manifest.Manifest{Name: "shop", Queue: map[string]*manifest.Queue{"default": {}}}
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, os.DevNull)
	}
	for name, v := range map[string]string{"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret"} {
		t.Setenv(name, v)
	}
	aws := []string{"DAYFLY_AWS=1", "AWS_REGION=" + region}
	a := withObjects(t, m, aws...)
	if err := a.startPayloads(t.Context()); err != nil || a.variables.get("PAYLOADS_URL") != "s3://shop-dayfly-payloads" {
		t.Errorf("%q, %v", a.variables.get("PAYLOADS_URL"), err)
	}
	a = withObjects(t, m, append(aws, "PAYLOADS_URL=s3://ours/large/")...)
	if err := a.startPayloads(t.Context()); err != nil || a.variables.get("PAYLOADS_URL") != "s3://ours/large" {
		t.Errorf("%q, %v", a.variables.get("PAYLOADS_URL"), err)
	}
	a = withObjects(t, m, append(aws, "PAYLOADS_URL=ours")...)
	if err := a.startPayloads(t.Context()); err == nil || !strings.Contains(err.Error(), "s3://BUCKET") {
		t.Errorf("a bad PAYLOADS_URL: %v", err)
	}
}

func TestPayloadsBucketIsReserved(t *testing.T) {
	dir := t.TempDir()
	text := "name = \"shop\"\n[process.web]\ncommand = \"x\"\n[bucket." + manifest.PayloadsBucket + "]\n"
	if err := os.WriteFile(filepath.Join(dir, manifest.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.Read(dir); err == nil || !strings.Contains(err.Error(), "dayfly's own bucket") {
		t.Errorf("a manifest with it: %v", err)
	}
}
