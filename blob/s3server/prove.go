package s3server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// proofBucket exists while a proof is under way.
const proofBucket = "dayfly-proof"

// Prove writes an object, reads it back, compares and deletes it, through the
// S3 protocol. It returns nil, or says which of these failed. Proofs run one
// after the other.
func (s *Server) Prove(ctx context.Context) error {
	s.proving.Lock()
	defer s.proving.Unlock()
	if err := s.MakeBucket(ctx, proofBucket, BucketOptions{}); err != nil {
		return err
	}
	key, want := strings.ToLower(rand.Text()), make([]byte, 1024)
	_, _ = rand.Read(want) // never fails
	bucket := aws.String(proofBucket)
	if _, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(want)}); err != nil {
		return fmt.Errorf("s3server: write an object: %w", err)
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("s3server: read an object back: %w", err)
	}
	got, err := io.ReadAll(out.Body)
	out.Body.Close()
	if err != nil {
		return fmt.Errorf("s3server: read an object back: %w", err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("s3server: an object of %d bytes came back different (%d bytes)", len(want), len(got))
	}
	if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key}); err != nil {
		return fmt.Errorf("s3server: delete an object: %w", err)
	}
	if _, err := s.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
		return fmt.Errorf("s3server: delete a bucket: %w", err)
	}
	return nil
}
