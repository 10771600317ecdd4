package publish

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/records/awstest"
	"github.com/dayfly-dev/dayfly/records/s3records"
)

// TestOnS3 has contents, lists and the record be in a bucket of S3.
func TestOnS3(t *testing.T) {
	url := awstest.Moto(t)
	client := s3.NewFromConfig(aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")},
		func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &url, true })
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("releases")}); err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.Open(t.Context(), "releases", &blob.Options{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	d, err := s3records.Open(t.Context(), s3records.Options{Client: client, Bucket: "releases", Prefix: "records"})
	if err != nil {
		t.Fatal(err)
	}
	o := &stores{bucket, d}
	s, other := o.open(t, 1), o.open(t, 1) // two machines
	for i := 1; i <= 4; i++ {
		want := map[string]string{"/": fmt.Sprint(i), "/ü": "same"}
		r := stage(t, s, want)
		live(t, other, r.ID)
		if diff := cmp.Diff(want, read(t, other, state(t, other).Live)); diff != "" {
			t.Error(diff)
		}
	}
	if n, err := other.Sweep(t.Context()); err != nil || n != 2 { // r1's list and its own content
		t.Errorf("%d deleted, %v", n, err)
	}
	if got := read(t, s, "r3")["/"]; got != "3" {
		t.Errorf("r3 has %q", got)
	}
	if err := s.Report(t.Context(), Presence{Edge: "a", Live: "r4"}); err != nil {
		t.Fatal(err)
	}
	if edges, err := other.Edges(t.Context()); err != nil || len(edges) != 1 || edges[0].Live != "r4" {
		t.Errorf("%+v %v", edges, err)
	}
}
