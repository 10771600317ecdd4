package sqsqueue_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
)

func start(t *testing.T) *endpoint {
	t.Helper()
	e, err := listen(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// An application has a URL and the environment; the host of the URL is enough
// to find a service that is not AWS.
func TestOpen(t *testing.T) {
	e := start(t)
	t.Setenv("AWS_ACCESS_KEY_ID", accessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	if err := e.queues.CreateQueue(t.Context(), "default", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	q, err := sqsqueue.Open(t.Context(), e.url+"/000000000000/default", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Service().Close()
	if q.Name() != "default" {
		t.Errorf("name is %q", q.Name())
	}
	if _, err := q.Send(t.Context(), queue.Outgoing{Body: "hello"}); err != nil {
		t.Fatal(err)
	}
	m, err := q.Receive(t.Context(), queue.ReceiveOptions{Wait: time.Second, Visibility: -1})
	if err != nil || len(m) != 1 || m[0].Body != "hello" {
		t.Fatalf("%v, %v", m, err)
	}
	for _, wrong := range []string{"", "default", "/000000000000/default", "http://127.0.0.1:1/", "ftp://h/1/q", "http://h\x00/q"} {
		if _, err := sqsqueue.Open(t.Context(), wrong, nil); err == nil {
			t.Errorf("opened %q", wrong)
		}
	}
}

// The SDK leaves out zeros; the queue's own values must not take their place.
func TestExplicitZeros(t *testing.T) {
	e := start(t)
	s := queue.New(sqsqueue.New(client(e.url), nil))
	defer s.Close()
	err := s.CreateQueue(t.Context(), "slow", queue.Attributes{Delay: time.Minute, ReceiveWait: 20 * time.Second}, nil)
	if err != nil {
		t.Fatal(err)
	}
	q := s.Queue("slow")
	var out []queue.Outgoing
	for range 12 { // two requests; the bodies look like entries
		out = append(out, queue.Outgoing{Body: `{"Id":"3","x":"{\"Id\":\"3\""}`, Delay: 0}, queue.Outgoing{Body: "late", Delay: -1})
	}
	sent, err := q.Send(t.Context(), out...)
	if err != nil || len(sent) != 24 {
		t.Fatalf("%d sent, %v", len(sent), err)
	}
	d, err := q.Describe(t.Context())
	if err != nil || d.Visible != 12 || d.Delayed != 12 {
		t.Fatalf("%d visible, %d delayed, %v; want 12 each", d.Visible, d.Delayed, err)
	}
	for received := 0; ; {
		m, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: -1, Wait: 0})
		if err != nil {
			t.Fatal(err)
		}
		if len(m) == 0 {
			if received != 12 {
				t.Errorf("%d received", received)
			}
			break
		}
		for i := range m {
			if m[i].Body != out[0].Body {
				t.Errorf("received %q", m[i].Body)
			}
		}
		received += len(m)
	}
	quickest := time.Hour // of three: a machine under load may hold one up
	for range 3 {
		begun := time.Now()
		if _, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: -1, Wait: 0}); err != nil {
			t.Fatal(err)
		}
		quickest = min(quickest, time.Since(begun))
	}
	if quickest > 10*time.Second {
		t.Errorf("asking without a wait takes %v, as long as the queue's own", quickest)
	}
}

// Removing the dead-letter queue and extra attributes is part of replacing.
func TestSetAttributesTakesAway(t *testing.T) {
	e := start(t)
	s := queue.New(sqsqueue.New(client(e.url), nil))
	defer s.Close()
	ctx := t.Context()
	full := queue.Attributes{
		DeadLetter: &queue.DeadLetter{Queue: "dead", MaxReceives: 3},
		Extra:      map[string]string{"Policy": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage","Resource":"*"}}`},
	}
	if err := s.CreateQueue(ctx, "dead", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateQueue(ctx, "q", full, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateQueue(ctx, "q", queue.Attributes{}, nil); !errors.Is(err, queue.ErrQueueExists) {
		t.Errorf("created again without its dead-letter queue: %v", err)
	}
	d, err := s.Describe(ctx, "q")
	if err != nil || d.Attributes.DeadLetter == nil || d.Attributes.Extra["Policy"] == "" {
		t.Fatalf("%+v, %v", d.Attributes, err)
	}
	d.Attributes.DeadLetter, d.Attributes.Extra = nil, nil
	if err := s.SetAttributes(ctx, "q", d.Attributes); err != nil {
		t.Fatal(err)
	}
	if d, err = s.Describe(ctx, "q"); err != nil || d.Attributes.DeadLetter != nil || len(d.Attributes.Extra) != 0 {
		t.Fatalf("%+v, %v", d.Attributes, err)
	}
}

// The sums of attributes are those another implementation computes.
func TestSumsAgreeWithMoto(t *testing.T) {
	url := moto(t)
	e := start(t)
	in := &sqs.SendMessageInput{
		MessageBody: aws.String("body"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"z": {DataType: aws.String("String"), StringValue: aws.String("é世")},
			"a": {DataType: aws.String("Number.int"), StringValue: aws.String("12")},
			"m": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
		},
	}
	var sums [2]string
	for i, at := range []string{url, e.url} {
		c := client(at)
		q, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("sums")})
		if err != nil {
			t.Fatal(err)
		}
		in.QueueUrl = q.QueueUrl
		out, err := c.SendMessage(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = aws.ToString(out.MD5OfMessageAttributes)
	}
	if sums[0] != sums[1] || sums[0] == "" {
		t.Errorf("moto has %v, ours %v", sums[0], sums[1])
	}
}

// A wrong secret is an error that says so, and is not retried for ever.
func TestWrongSecret(t *testing.T) {
	e := start(t)
	o := client(e.url).Options()
	o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, "wrong", "")
	s := sqsqueue.New(sqs.New(o), nil)
	defer s.Close()
	if _, err := s.Describe(t.Context(), "q"); err == nil {
		t.Error("described with a wrong secret")
	}
}

// closes ends a request's body when all of it was read, as the SDK does when
// the reply is there, and looks whether net/http would find an error in it.
type closes struct {
	http.RoundTripper
	err error
}

func (c *closes) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		c.err = err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return c.RoundTripper.RoundTrip(r)
}

// See awsclient.Body.
func TestBodyEndsWithoutError(t *testing.T) {
	e := start(t)
	o := client(e.url).Options()
	c := &closes{RoundTripper: o.HTTPClient.(*http.Client).Transport}
	o.HTTPClient = &http.Client{Transport: c}
	s := queue.New(sqsqueue.New(sqs.New(o), nil))
	defer s.Close()
	if err := s.CreateQueue(t.Context(), "q", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	for _, wait := range []time.Duration{0, time.Second} {
		if _, err := s.Send(t.Context(), "q", []queue.Outgoing{{Body: "x", Delay: -1}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Receive(t.Context(), "q", queue.ReceiveOptions{Wait: wait}); err != nil {
			t.Fatal(err)
		}
	}
	if c.err != nil {
		t.Errorf("a body that was read and closed ends with %v", c.err)
	}
}
