package snsserver

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/internal/vfs"
	"github.com/dayfly-dev/dayfly/mail/inbox"
)

const (
	testRegion  = "eu-central-2"
	testAccount = "000000000000"
)

// memory are queues of which those that were named exist.
type memory struct {
	mu     sync.Mutex
	queues map[string][]Message
	fail   func(queue string, m []Message) error // asked first; nil: nothing fails
	calls  int
}

func newMemory(queues ...string) *memory {
	m := &memory{queues: map[string][]Message{}}
	for _, q := range queues {
		m.queues[q] = nil
	}
	return m
}

func (m *memory) Send(_ context.Context, queue string, messages []Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.fail != nil {
		if err := m.fail(queue, messages); err != nil {
			return err
		}
	}
	if _, ok := m.queues[queue]; !ok {
		return fmt.Errorf("%w: there is no queue %s", ErrUndeliverable, queue)
	}
	m.queues[queue] = append(m.queues[queue], messages...)
	return nil
}

// take empties a queue.
func (m *memory) take(queue string) []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.queues[queue]
	m.queues[queue] = nil
	return all
}

func (m *memory) bodies(queue string) []string {
	var all []string
	for _, message := range m.take(queue) {
		all = append(all, message.Body)
	}
	return all
}

// rig is a server with what it needs, and a client of it.
type rig struct {
	*memory
	server *Server
	inbox  *inbox.Inbox
	sns    *sns.Client
	url    string
}

func openInbox(t testing.TB) *inbox.Inbox {
	t.Helper()
	b, err := inbox.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func openServer(t testing.TB, files vfs.FS, queues Queues) *Server {
	t.Helper()
	s, err := Open(Options{Files: files, Queues: queues, Inbox: openInbox(t), Region: testRegion, Account: testAccount})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start puts a server behind a gateway, as package app does.
func start(t testing.TB, queues ...string) *rig {
	t.Helper()
	m := newMemory(queues...)
	s := openServer(t, faultfs.New(), m)
	g, err := gateway.New(gateway.Options{Credentials: []sigv4.Credentials{{AccessKeyID: "key", SecretAccessKey: "secret"}},
		Services: map[string]http.Handler{"sns": s}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	client := sns.New(sns.Options{Region: testRegion, BaseEndpoint: &srv.URL, RetryMaxAttempts: 1, HTTPClient: need.WholeBodies{Client: srv.Client()},
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", "")})
	return &rig{memory: m, server: s, inbox: s.Inbox, sns: client, url: srv.URL}
}

// topic makes one and returns its ARN.
func (r *rig) topic(t testing.TB, name string, attributes ...string) string {
	t.Helper()
	in := &sns.CreateTopicInput{Name: &name, Attributes: pairs(attributes)}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes["FifoTopic"] = "true"
	}
	out, err := r.sns.CreateTopic(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.TopicArn
}

// subscribe subscribes a queue and returns the subscription's ARN.
func (r *rig) subscribe(t testing.TB, topic, queue string, attributes ...string) string {
	t.Helper()
	out, err := r.sns.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"),
		Endpoint: aws.String(queueARN(queue)), Attributes: pairs(attributes)})
	if err != nil {
		t.Fatal(err)
	}
	return *out.SubscriptionArn
}

func queueARN(name string) string {
	return "arn:aws:sqs:" + testRegion + ":" + testAccount + ":" + name
}

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for pair := range slices.Chunk(list, 2) {
		m[pair[0]] = pair[1]
	}
	return m
}

// answer is what the server says to a form, read as SDKs do.
type answer struct {
	status int
	body   string
	Code   string `xml:"Error>Code"`
	Type   string `xml:"Error>Type"`
	Text   string `xml:"Error>Message"`
}

// post sends a form past the gateway; values come in pairs.
func post(s http.Handler, form ...string) answer {
	v := url.Values{}
	for pair := range slices.Chunk(form, 2) {
		v.Add(pair[0], pair[1])
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/", strings.NewReader(v.Encode()))
	s.ServeHTTP(w, r)
	a := answer{status: w.Code, body: w.Body.String()}
	if err := xml.Unmarshal(w.Body.Bytes(), &a); err != nil {
		panic(fmt.Sprintf("%v in %s", err, w.Body))
	}
	return a
}

// code of an error of the SDK.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestOptions(t *testing.T) {
	good := Options{Files: faultfs.New(), Queues: newMemory(), Inbox: openInbox(t), Region: testRegion, Account: testAccount}
	for name, change := range map[string]func(*Options){
		"no files":      func(o *Options) { o.Files = nil },
		"no queues":     func(o *Options) { o.Queues = nil },
		"no inbox":      func(o *Options) { o.Inbox = nil },
		"no region":     func(o *Options) { o.Region = "" },
		"short account": func(o *Options) { o.Account = "1" },
		"lettered":      func(o *Options) { o.Account = "00000000000a" },
		"folder in use": func(*Options) {},
	} {
		o := good
		change(&o)
		if name == "folder in use" {
			if _, err := Open(o); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// TestProtocol: what no SDK sends.
func TestProtocol(t *testing.T) {
	s := openServer(t, faultfs.New(), newMemory())
	for _, tc := range []struct {
		form []string
		code string
	}{
		{nil, "MissingAction"},
		{[]string{"Action", "CreatePlatformApplication"}, "InvalidAction"},
		{[]string{"Action", "CreateTopic"}, "ValidationError"},
		{[]string{"Action", "Publish", "Message", "m"}, "InvalidParameter"},
		{[]string{"Action", "Publish", "TopicArn", "a:b", "Message", "m"}, "InvalidParameter"},
		{[]string{"Action", "Unsubscribe"}, "InvalidParameter"},
		{[]string{"Action", "ListTopics", "NextToken", "!"}, "InvalidParameter"},
	} {
		if a := post(s, tc.form...); a.Code != tc.code || a.Type != "Sender" || a.status != 400 {
			t.Errorf("%v: %d %s", tc.form, a.status, a.body)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("Action=%zz")))
	if w.Code != 400 || !strings.Contains(w.Body.String(), "MalformedQueryString") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("a", maxBody+1))))
	if w.Code != 413 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if a := post(s, "Action", "ListTopics"); a.status != 200 || !strings.Contains(a.body, namespace) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
