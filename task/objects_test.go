package task

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	gocloud "gocloud.dev/blob"

	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// objects is the embedded object store with a bucket for payloads. before, if
// set, is asked ahead of each request, and answers it itself if it returns true.
type objects struct {
	t      *testing.T
	bucket *gocloud.Bucket
	server http.Handler
	url    string
	before atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newObjects(t *testing.T) *objects {
	t.Helper()
	s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: "AKIATEST", SecretKey: "secret", Region: "eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	o := &objects{t: t, server: s}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := o.before.Load(); before != nil && (*before)(w, r) {
			return
		}
		s.ServeHTTP(w, r)
	}))
	o.url = h.URL
	for _, name := range []string{"payloads", "others"} {
		if err := s.MakeBucket(t.Context(), name, s3server.BucketOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	o.bucket, err = blob.Open(t.Context(), "payloads", &blob.Options{Client: s3.New(s3.Options{
		BaseEndpoint: aws.String(h.URL), UsePathStyle: true, Region: "eu-central-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		Retryer:     aws.NopRetryer{}, // what fails is to be seen at once
	})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.bucket.Close()
		h.CloseClientConnections()
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return o
}

// fail has a function answer requests; nil: none.
func (o *objects) fail(with func(http.ResponseWriter, *http.Request) bool) {
	if with == nil {
		o.before.Store(nil)
		return
	}
	o.before.Store(&with)
}

func (o *objects) store(options *payload.Options) *payload.Store {
	o.t.Helper()
	return o.storeAt("s3://payloads", options)
}

func (o *objects) storeAt(address string, options *payload.Options) *payload.Store {
	o.t.Helper()
	return must[*payload.Store](o.t)(payload.New(o.bucket, address, options))
}

// keys of what the bucket has.
func (o *objects) keys() []string {
	o.t.Helper()
	var keys []string
	for it := o.bucket.List(nil); ; {
		x, err := it.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return keys
		}
		if err != nil {
			o.t.Fatal(err)
		}
		keys = append(keys, x.Key)
	}
}

// overSQSRig is a rig whose queue is reached over the SQS protocol.
func overSQSRig(t *testing.T, attempts int) *rig {
	t.Helper()
	client := sqs.New(sqs.Options{
		BaseEndpoint: aws.String(endpoint(t)), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
	})
	s := queue.New(sqsqueue.New(client, nil))
	t.Cleanup(func() { s.Close() })
	for name, a := range map[string]queue.Attributes{"default-dead": {}} {
		if err := s.CreateQueue(t.Context(), name, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	a := queue.Attributes{DeadLetter: &queue.DeadLetter{Queue: "default-dead", MaxReceives: attempts}}
	if err := s.CreateQueue(t.Context(), "default", a, nil); err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, s: s, q: s.Queue("default")}
}

// onBothQueues runs a test on the embedded engine and over the SQS protocol.
func onBothQueues(t *testing.T, attempts int, test func(t *testing.T, r *rig)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, newRig(t, attempts, nil)) })
	t.Run("sqs", func(t *testing.T) { t.Parallel(); test(t, overSQSRig(t, attempts)) })
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// blobArgs are arguments as large as wanted.
type blobArgs struct {
	N    int
	Text string
}

func large(n, size int) blobArgs {
	raw := make([]byte, size/2)
	rand.Read(raw)
	return blobArgs{n, hex.EncodeToString(raw)}
}

func same(a, b blobArgs) bool { return a.N == b.N && bytes.Equal([]byte(a.Text), []byte(b.Text)) }

// quick is a back-off for tests that wait for retries.
var quick = Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}
