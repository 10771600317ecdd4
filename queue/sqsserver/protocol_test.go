package sqsserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
)

// handler is a server without the gateway before it, with a queue "q".
func handler(t testing.TB) http.Handler {
	t.Helper()
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := queue.New(engine)
	t.Cleanup(func() { s.Close() })
	if err := s.CreateQueue(context.Background(), "q", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	h, err := sqsserver.New(sqsserver.Options{Service: s})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func post(h http.Handler, action, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "http://127.0.0.1:4566/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const qURL = `"QueueUrl":"http://127.0.0.1:4566/000000000000/q"`

func TestErrors(t *testing.T) {
	h := handler(t)
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for _, tc := range []struct {
		action, body string
		status       int
		shape, query string
	}{
		{"Nonsense", `{}`, 400, "UnknownOperationException", "InvalidAction"},
		{"SendMessage", ``, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `[]`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{} {}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{"a":1,}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{"a":tru}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{"a":01}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{"a":-.5}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{"a":1.}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{"a":` + deep + `}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{"QueueUrl":5}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"x","DelaySeconds":"5"}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"x","DelaySeconds":99999999999}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"x","DelaySeconds":1.5}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", "{" + qURL + ",\"MessageBody\":\"\xff\"}", 400, "SerializationException", "MalformedInput"},
		{"SendMessage", "{" + qURL + ",\"MessageBody\":\"a\nb\"}", 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"\ud800"}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"x","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"*"}}}`, 400, "SerializationException", "MalformedInput"},
		{"SendMessage", `{"MessageBody":"x"}`, 400, "MissingRequiredParameterException", "MissingParameter"},
		{"SendMessage", `{` + qURL + `}`, 400, "MissingRequiredParameterException", "MissingParameter"},
		{"SendMessage", `{` + qURL + `,"MessageBody":null}`, 400, "MissingRequiredParameterException", "MissingParameter"},
		{"SendMessage", `{"QueueUrl":"no","MessageBody":"x"}`, 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
		{"SendMessage", `{"QueueUrl":"http://nowhere","MessageBody":"x"}`, 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
		{"SendMessage", `{"QueueUrl":"http://h/000000000000/","MessageBody":"x"}`, 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
		{"SendMessage", `{"QueueUrl":"http://h/000000000001/q","MessageBody":"x"}`, 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
		{"SendMessage", `{"QueueUrl":"http://h/000000000000/no","MessageBody":"x"}`, 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
		{"SendMessage", `{"QueueUrl":"http://h/000000000000/n o","MessageBody":"x"}`, 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"x","DelaySeconds":-1}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"\u0000"}`, 400, "InvalidMessageContents", "InvalidMessageContents"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"x","MessageSystemAttributes":{"Foo":{"DataType":"String","StringValue":"x"}}}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"SendMessage", `{` + qURL + `,"MessageBody":"x","MessageDeduplicationId":"x"}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"ReceiveMessage", `{` + qURL + `,"MaxNumberOfMessages":0}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"ReceiveMessage", `{` + qURL + `,"VisibilityTimeout":-1}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"ReceiveMessage", `{` + qURL + `,"AttributeNames":["Colour"]}`, 400, "InvalidAttributeName", "InvalidAttributeName"},
		{"DeleteMessage", `{` + qURL + `}`, 400, "MissingRequiredParameterException", "MissingParameter"},
		{"DeleteMessage", `{` + qURL + `,"ReceiptHandle":"x"}`, 404, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"},
		{"ChangeMessageVisibility", `{` + qURL + `,"ReceiptHandle":"x"}`, 400, "MissingRequiredParameterException", "MissingParameter"},
		{"SendMessageBatch", `{` + qURL + `}`, 400, "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"},
		{"SendMessageBatch", `{` + qURL + `,"Entries":[{"Id":"","MessageBody":"x"}]}`, 400, "InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"},
		{"DeleteMessageBatch", `{` + qURL + `,"Entries":{}}`, 400, "SerializationException", "MalformedInput"},
		{"ListQueues", `{"MaxResults":1001}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"ListQueues", `{"MaxResults":5,"NextToken":"*"}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"CreateQueue", `{}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"CreateQueue", `{"QueueName":"a.b"}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"CreateQueue", `{"QueueName":"a","Attributes":{"FifoQueue":"true"}}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"CreateQueue", `{"QueueName":"a","Attributes":{"FifoQueue":"false"}}`, 400, "InvalidAttributeName", "InvalidAttributeName"},
		{"CreateQueue", `{"QueueName":"a","Attributes":{"RedrivePolicy":"{}"}}`, 400, "InvalidParameterValueException", "InvalidParameterValue"},
		{"CreateQueue", `{"QueueName":"a","Attributes":{"Policy":"{"}}`, 400, "InvalidAttributeValue", "InvalidAttributeValue"},
		{"SetQueueAttributes", `{` + qURL + `}`, 400, "MissingRequiredParameterException", "MissingParameter"},
		{"TagQueue", `{` + qURL + `}`, 400, "MissingRequiredParameterException", "MissingParameter"},
		{"GetQueueUrl", `{"QueueName":"q","QueueOwnerAWSAccountId":"000000000001"}`, 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
	} {
		t.Run(tc.action+tc.body[:min(len(tc.body), 80)], func(t *testing.T) {
			w := post(h, tc.action, tc.body)
			var e struct {
				Type    string `json:"__type"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
			_, shape, _ := strings.Cut(e.Type, "#")
			query := w.Header().Get("x-amzn-query-error")
			if w.Code != tc.status || shape != tc.shape || query != tc.query+";Sender" || e.Message == "" {
				t.Errorf("%d %s, %s; want %d %s %s", w.Code, w.Body, query, tc.status, tc.shape, tc.query)
			}
		})
	}
}

// Spellings of JSON that mean the same, and what is skipped.
func TestSpellings(t *testing.T) {
	h := handler(t)
	const sum = `"MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592"` // hello
	for _, body := range []string{
		`{` + qURL + `,"MessageBody":"hello"}`,
		" {\n\"MessageBody\" : \"h\\u0065llo\" ,\t" + qURL + " } \r\n",
		`{` + strings.ReplaceAll(qURL, "/", `\/`) + `,"MessageBody":"hello","DelaySeconds":null,"MessageAttributes":null}`,
		`{` + qURL + `,"Other":[{"a":[1,-2.5e3,true,false,null,"\"]}"]},{}],"MessageBody":"hello","MessageAttributes":{}}`,
	} {
		w := post(h, "SendMessage", body)
		if w.Code != 200 || !strings.Contains(w.Body.String(), sum) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/x-amz-json-1.0") {
			t.Errorf("content type %q", w.Header().Get("Content-Type"))
		}
		if id := w.Header().Get("x-amzn-RequestId"); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`).MatchString(id) {
			t.Errorf("request id %q", id)
		}
	}
}

// What is sent comes back, through the SDK, which compares the sum of the body.
func TestRoundTrip(t *testing.T) {
	e := listen(t)
	c := e.client()
	ctx := t.Context()
	out, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("round")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]types.MessageAttributeValue{
		"s":   {DataType: aws.String("String"), StringValue: aws.String("\u00e9\u4e16\U0001f680\"\\\n")},
		"n.x": {DataType: aws.String("Number.int"), StringValue: aws.String("-1.5e3")},
		"b":   {DataType: aws.String("Binary"), BinaryValue: bytes.Repeat([]byte{0, 255, 10}, 50)},
	}
	const body = "\u00e9\u4e16\U0001f680 \"\\ \t\r\n </script> \u2028 \ufffd"
	sent, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: out.QueueUrl, MessageBody: aws.String(body), MessageAttributes: want})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: out.QueueUrl, MessageAttributeNames: []string{".*"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Messages) != 1 || *got.Messages[0].Body != body {
		t.Fatalf("received %+v", got.Messages)
	}
	m := got.Messages[0]
	if *m.MD5OfMessageAttributes != *sent.MD5OfMessageAttributes {
		t.Error("the sums of the attributes differ")
	}
	for k, v := range want {
		g := m.MessageAttributes[k]
		if *g.DataType != *v.DataType || aws.ToString(g.StringValue) != aws.ToString(v.StringValue) || !bytes.Equal(g.BinaryValue, v.BinaryValue) {
			t.Errorf("%s: %+v", k, g)
		}
	}
}

// Which attributes come back, by what was asked for.
func TestAttributeFilter(t *testing.T) {
	h := handler(t)
	send := `{` + qURL + `,"MessageBody":"x","MessageAttributes":{` +
		`"a":{"DataType":"String","StringValue":"1"},"a.b":{"DataType":"String","StringValue":"1"},"ab":{"DataType":"String","StringValue":"1"}}}`
	for names, want := range map[string][]string{
		`[]`: nil, `["a"]`: {"a"}, `["a.*"]`: {"a", "a.b", "ab"}, `["a.b.*"]`: {"a.b"}, `["b"]`: nil,
		`["All"]`: {"a", "a.b", "ab"}, `["ALL"]`: {"a", "a.b", "ab"}, `[".*"]`: {"a", "a.b", "ab"}, `["a","ab"]`: {"a", "ab"},
	} {
		if w := post(h, "SendMessage", send); w.Code != 200 {
			t.Fatal(w.Body)
		}
		w := post(h, "ReceiveMessage", `{`+qURL+`,"MessageAttributeNames":`+names+`}`)
		var got struct {
			Messages []struct {
				ReceiptHandle     string
				MessageAttributes map[string]any
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Messages) != 1 {
			t.Fatalf("%v %s", err, w.Body)
		}
		var keys []string
		for _, k := range []string{"a", "a.b", "ab"} {
			if got.Messages[0].MessageAttributes[k] != nil {
				keys = append(keys, k)
			}
		}
		if d := cmp.Diff(want, keys); d != "" {
			t.Errorf("%s: -want +got\n%s", names, d)
		}
		if w := post(h, "DeleteMessage", `{`+qURL+`,"ReceiptHandle":"`+got.Messages[0].ReceiptHandle+`"}`); w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
}

// waiting is a driver that counts who waits in Receive.
type waiting struct {
	driver.Service
	entered chan struct{}
	left    chan error
}

func (w *waiting) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	w.entered <- struct{}{}
	m, err := w.Service.Receive(ctx, name, o)
	w.left <- err
	return m, err
}

// A long poll ends when its client goes away, and on shutdown with an answer.
func TestLongPollEnds(t *testing.T) {
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &waiting{engine, make(chan struct{}), make(chan error, 1)}
	s := queue.New(w)
	defer s.Close()
	if err := s.CreateQueue(t.Context(), "q", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	h, err := sqsserver.New(sqsserver.Options{Service: s})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	poll := func(ctx context.Context) (*http.Response, error) {
		r, _ := http.NewRequestWithContext(ctx, "POST", srv.URL, strings.NewReader(`{`+qURL+`,"WaitTimeSeconds":20}`))
		r.Header.Set("X-Amz-Target", "AmazonSQS.ReceiveMessage")
		return http.DefaultClient.Do(r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-w.entered
		cancel()
	}()
	if _, err := poll(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("client: %v", err)
	}
	if err := <-w.left; !errors.Is(err, context.Canceled) {
		t.Fatalf("the engine kept waiting for a client that left: %v", err)
	}
	var shut atomic.Bool
	go func() {
		<-w.entered
		shut.Store(true)
		h.Shutdown(context.Background())
	}()
	resp, err := poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !shut.Load() || resp.StatusCode != 200 || resp.ContentLength != 2 {
		t.Fatalf("on shutdown: %s, %d bytes", resp.Status, resp.ContentLength)
	}
}

// late is a driver whose message comes just after the client left.
type late struct {
	driver.Service
	left context.CancelFunc
}

func (l *late) Receive(ctx context.Context, name string, o driver.ReceiveOptions) ([]driver.Message, error) {
	m, err := l.Service.Receive(ctx, name, o)
	l.left()
	return m, err
}

// A message taken for a client that has left is given back.
func TestGivesBack(t *testing.T) {
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := queue.New(&late{engine, cancel})
	defer s.Close()
	if err := s.CreateQueue(t.Context(), "q", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(t.Context(), "q", []queue.Outgoing{{Body: "x", Delay: -1}}); err != nil {
		t.Fatal(err)
	}
	h, err := sqsserver.New(sqsserver.Options{Service: s})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{`+qURL+`,"WaitTimeSeconds":1}`)).WithContext(ctx)
	r.Header.Set("X-Amz-Target", "AmazonSQS.ReceiveMessage")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if d, err := s.Describe(t.Context(), "q"); err != nil || d.Visible != 1 || d.InFlight != 0 {
		t.Fatalf("%d visible, %d in flight, %v; want 1 and 0", d.Visible, d.InFlight, err)
	}
}

// broken is a driver that fails.
type broken struct {
	driver.Service
	err error
}

func (b broken) Send(context.Context, string, []driver.Outgoing) ([]driver.Sent, error) {
	return nil, b.err
}

func TestServerFaults(t *testing.T) {
	for err, want := range map[error]int{driver.ErrFull: 503, driver.ErrClosed: 503, errors.New("a secret path"): 500} {
		h, _ := sqsserver.New(sqsserver.Options{Service: queue.New(broken{err: err})})
		w := post(h, "SendMessage", `{`+qURL+`,"MessageBody":"x"}`)
		if w.Code != want || strings.Contains(w.Body.String(), "secret") || !strings.HasSuffix(w.Header().Get("X-Amzn-Query-Error"), ";Receiver") {
			t.Errorf("%v: %d %s", err, w.Code, w.Body)
		}
	}
}
