package s3server

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestAttributesThatDoNotFit only bites where one file's attributes are bounded
// below what S3 allows, as on ext4.
func TestAttributesThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var a attributes
	tooBig := bytes.Repeat([]byte("x"), 100<<10) // more than Linux takes for one value
	if err := a.StoreAttribute(nil, dir, "f", partTable, tooBig); err != nil {
		t.Errorf("a part table that does not fit: %v", err)
	}
	err := a.StoreAttribute(nil, dir, "f", "metadata", tooBig)
	if err == nil || !strings.Contains(err.Error(), "MetadataTooLarge") {
		t.Errorf("metadata that does not fit: %v", err)
	}
}

func TestLargeMetadata(t *testing.T) {
	s := open(t, t.TempDir())
	s.bucket(t, "files", BucketOptions{})
	put := func(n int) error {
		_, err := s.s3.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("files"), Key: aws.String("k"), Body: strings.NewReader("x"), Metadata: map[string]string{"m": strings.Repeat("v", n)},
		})
		return err
	}
	if err := put(2000); err != nil { // S3's own bound is 2 KB
		t.Errorf("2,000 bytes of metadata: %v", err)
	}
	if err := put(6000); err == nil {
		t.Error("6,000 bytes of metadata were taken")
	} else if code := codeOf(err); code != "MetadataTooLarge" {
		t.Errorf("6,000 bytes of metadata: %s", code)
	}
}
