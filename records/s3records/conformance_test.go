package s3records_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/records/awstest"
	"github.com/dayfly-dev/dayfly/records/driver"
	"github.com/dayfly-dev/dayfly/records/drivertest"
	"github.com/dayfly-dev/dayfly/records/s3records"
)

// rounds of the suite's concurrent tests: each write is synced to disk, or goes
// through a server written in Python. The suite finds its planted bugs with as many.
const rounds = 16

// embedded starts the store that dayfly embeds and returns its address.
func embedded(t testing.TB) string {
	t.Helper()
	return embeddedIn(t, t.TempDir())
}

func embeddedIn(t testing.TB, dir string) string {
	t.Helper()
	s, err := s3server.Open(s3server.Options{Dir: dir, AccessKey: "AKIATEST", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return h.URL
}

// client reaches the service, over another transport if one is given.
func client(t testing.TB, url string, over ...http.RoundTripper) *s3.Client {
	t.Helper()
	// A pool of connections of its own, as a process has.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	over = append(over, transport)
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), UsePathStyle: true, HTTPClient: &http.Client{Transport: over[0]},
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""), Retryer: awstest.Soon,
	})
}

const bucket = "records"

// bucketAt makes the bucket at a service, once.
func bucketAt(t testing.TB, url string) string {
	t.Helper()
	makeBucket(t, url, bucket)
	return url
}

func makeBucket(t testing.TB, url, bucket string) {
	t.Helper()
	if _, err := client(t, url).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, url, prefix string) *s3records.Store {
	t.Helper()
	return openBucket(t, url, bucket, prefix)
}

func openBucket(t testing.TB, url, bucket, prefix string) *s3records.Store {
	t.Helper()
	s, err := s3records.Open(context.Background(), s3records.Options{Client: client(t, url), Bucket: bucket, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// own is a bucket that no other test has, as moto looks at every object of one
// whenever some are listed; and a prefix.
func own(t testing.TB) string {
	return strings.ToLower(strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
}

func conform(t *testing.T, url string) {
	drivertest.Run(t, drivertest.Harness{Rounds: rounds, New: func(t *testing.T) *drivertest.Store {
		wire := drivertest.NewWire(t, "tcp", strings.TrimPrefix(url, "http://"))
		makeBucket(t, url, own(t))
		d := openBucket(t, "http://"+wire.Addr, own(t), own(t))
		s := &drivertest.Store{Driver: d, Another: func() (driver.Store, error) { return openBucket(t, url, own(t), own(t)), nil }}
		if strings.Contains(t.Name(), "/Cut/") { // else an error is one
			s.Cut = wire.Cut
		}
		return s
	}})
}

func TestEmbedded(t *testing.T) { conform(t, embedded(t)) }

func TestMoto(t *testing.T) { conform(t, awstest.Moto(t)) }
