package s3server

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

// TestFullDisk fills a file system of 4 MiB.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
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
