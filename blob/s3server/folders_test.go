package s3server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestFoldersComeAndGo: clients put and delete, each a key of its own, in folders
// that are empty again and again: no put fails for that, and no folder is left.
func TestFoldersComeAndGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.bucket(t, "files", BucketOptions{})
	s.s3 = s3.New(s.s3.Options(), func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			key := aws.String(fmt.Sprintf("a/b/c%d/k%d", c%2, c))
			for range 60 {
				if _, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: key, Body: strings.NewReader("x")}); err != nil {
					t.Errorf("put %s: %v", *key, err)
					return
				}
				if _, err := s.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: key}); err != nil {
					t.Errorf("delete %s: %v", *key, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(filepath.Join(dir, "files", "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	if n := len(s.engine.folders.use); n != 0 {
		t.Errorf("%d folders are held", n)
	}
	// A folder that is an object stays.
	s.put(t, "files", "own/", "")
	s.put(t, "files", "own/k", "x")
	if _, err := s.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: aws.String("own/k")}); err != nil {
		t.Fatal(err)
	}
	if keys := fmt.Sprint(s.keys(t, "files")); keys != "[own/]" {
		t.Errorf("left are %s", keys)
	}
}
