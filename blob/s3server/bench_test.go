package s3server

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// BenchmarkPut and BenchmarkGet go through an SDK client and HTTP.
func BenchmarkPut(b *testing.B) { benchmark(b, true) }
func BenchmarkGet(b *testing.B) { benchmark(b, false) }

func benchmark(b *testing.B, write bool) {
	for _, size := range []int{1 << 10, 1 << 20} {
		for _, clients := range []int{1, 16} {
			b.Run(fmt.Sprintf("%dKiB/%dclients", size>>10, clients), func(b *testing.B) {
				s := open(b, b.TempDir())
				s.bucket(b, "files", BucketOptions{})
				body := bytes.Repeat([]byte("x"), size)
				s.put(b, "files", "k", string(body))
				b.SetBytes(int64(size))
				var n atomic.Int64
				done := make(chan error, clients)
				b.ResetTimer()
				for range clients {
					go func() {
						for {
							i := n.Add(1)
							if i > int64(b.N) {
								done <- nil
								return
							}
							if err := step(b, s, body, fmt.Sprintf("d%d/k%d", i%64, i), write); err != nil {
								done <- err
								return
							}
						}
					}()
				}
				for range clients {
					if err := <-done; err != nil {
						b.Error(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			})
		}
	}
}

func step(b *testing.B, s *site, body []byte, key string, write bool) error {
	if write {
		_, err := s.s3.PutObject(b.Context(), &s3.PutObjectInput{Bucket: aws.String("files"), Key: &key, Body: bytes.NewReader(body)})
		return err
	}
	out, err := s.s3.GetObject(b.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: aws.String("k")})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	_, err = io.Copy(io.Discard, out.Body)
	return err
}
