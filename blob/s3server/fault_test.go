package s3server

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestSyncFails fails the first sync of a put, then the second, and so on until
// none is left to fail: a put that could not be synced is never acknowledged, and
// the object it replaces is whole, old or new.
func TestSyncFails(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	client := s3.New(s.s3.Options(), func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	for failing := int64(1); ; failing++ {
		s.put(t, "files", "a/b/key", "old")
		var n atomic.Int64
		s.engine.sync = func(f *os.File) error {
			if n.Add(1) == failing {
				return syscall.EIO
			}
			return f.Sync()
		}
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: aws.String("a/b/key"), Body: strings.NewReader("new")})
		s.engine.sync = (*os.File).Sync
		got := s.get(t, "files", "a/b/key")
		if n.Load() < failing {
			if err != nil || got != "new" {
				t.Errorf("with nothing failing: %v, object %q", err, got)
			}
			// The content, the attributes, and three folders: b, a, the bucket's.
			if n.Load() != 5 {
				t.Errorf("a put of a/b/key made %d syncs", n.Load())
			}
			return
		}
		if codeOf(err) != "InternalError" {
			t.Errorf("sync %d fails: the put answers %v", failing, err)
		}
		if got != "old" && got != "new" {
			t.Errorf("sync %d fails: the object is %q", failing, got)
		}
	}
}

func TestSyncOfWhatIsGone(t *testing.T) {
	dir := t.TempDir()
	r := &rooted{sync: (*os.File).Sync}
	if err := r.syncPath(filepath.Join(dir, "absent")); err == nil {
		t.Error("a file that is not there was synced")
	}
	if err := r.syncObject(dir, "gone/away"); err != nil {
		t.Errorf("an object deleted meanwhile: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.syncObject(dir, "file/below"); err == nil {
		t.Error("an object below a file was synced")
	}
}
