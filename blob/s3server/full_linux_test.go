package s3server

import (
	"bytes"
	"crypto/rand"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/need"
)

// TestFullDisk fills a file system of 4 MiB.
func TestFullDisk(t *testing.T) {
	dir := need.Disk(t, "size=4m")
	s := open(t, filepath.Join(dir, "objects"))
	s.bucket(t, "files", BucketOptions{})
	s.put(t, "files", "small", "kept")
	s.put(t, "files", "replaced", "before")
	client := s3.New(s.s3.Options(), func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	big := make([]byte, 6<<20)
	rand.Read(big)
	for _, key := range []string{"big", "replaced"} {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: &key, Body: bytes.NewReader(big)})
		if got := codeOf(err); got != "InsufficientStorage" {
			t.Errorf("put %q on a full disk: %s", key, got)
		}
	}
	for key, want := range map[string]string{"small": "kept", "replaced": "before"} {
		if got := s.get(t, "files", key); got != want {
			t.Errorf("%q is %d bytes after the disk was full", key, len(got))
		}
	}
	if diff := cmp.Diff([]string{"replaced", "small"}, s.keys(t, "files")); diff != "" {
		t.Error(diff)
	}
	s.put(t, "files", "after", "there is room again for this")
}
