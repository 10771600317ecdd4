package gateway_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
)

const jsonType = "application/x-amz-json-1.0"

// small is a service that takes bodies of 100 bytes and echoes them.
type small struct{}

func (small) MaxBody() int64 { return 100 }

func (small) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	whole := string(r.Body.(interface{ Bytes() []byte }).Bytes())
	read, err := io.ReadAll(r.Body)
	if err != nil || string(read) != whole {
		panic(fmt.Sprint("Bytes and Read differ: ", err))
	}
	fmt.Fprint(w, "sqs:", whole)
}

func start(t *testing.T) string {
	t.Helper()
	s3 := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, "s3:", r.Host, ":", string(b))
	})
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: "key", SecretAccessKey: "secret"}},
		Services:    map[string]http.Handler{"sqs": small{}},
		S3:          s3,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(g)
	t.Cleanup(srv.Close)
	return srv.URL
}

type ask struct {
	method, path, body, contentType, target string
	service                                 string // signed for; "" unsigned
	secret                                  string // "" the right one
	host                                    string
	authorization                           string // in place of a signature
	chunked                                 bool
}

func (a ask) do(t *testing.T, base string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(a.method, base+a.path, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if a.host != "" {
		r.Host = a.host
	}
	for name, v := range map[string]string{"Content-Type": a.contentType, "X-Amz-Target": a.target, "Authorization": a.authorization} {
		if v != "" {
			r.Header.Set(name, v)
		}
	}
	if a.chunked {
		r.ContentLength = -1
	}
	if a.service != "" {
		secret := a.secret
		if secret == "" {
			secret = "secret"
		}
		sum := sha256.Sum256([]byte(a.body))
		err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "key", SecretAccessKey: secret},
			r, hex.EncodeToString(sum[:]), a.service, "us-east-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestRouting(t *testing.T) {
	base := start(t)
	for _, tc := range []struct {
		name   string
		ask    ask
		status int
		want   string // part of the body
	}{
		{"sqs", ask{method: "POST", path: "/", body: "{}", contentType: jsonType, target: "AmazonSQS.ListQueues", service: "sqs"}, 200, "sqs:{}"},
		{"sqs chunked", ask{method: "POST", path: "/", body: "{}", target: "AmazonSQS.ListQueues", service: "sqs", chunked: true}, 200, "sqs:{}"},
		{"sqs wrong secret", ask{method: "POST", path: "/", body: "{}", target: "AmazonSQS.ListQueues", service: "sqs", secret: "x"}, 403, "InvalidSignatureException"},
		{"sqs too large", ask{method: "POST", path: "/", body: strings.Repeat("x", 101), target: "AmazonSQS.SendMessage", service: "sqs"}, 413, "RequestEntityTooLarge"},
		{"sqs too large, length unknown", ask{method: "POST", path: "/", body: strings.Repeat("x", 101), target: "AmazonSQS.SendMessage", service: "sqs", chunked: true}, 413, "RequestEntityTooLarge"},
		{"sqs just large", ask{method: "POST", path: "/", body: strings.Repeat("x", 100), target: "AmazonSQS.SendMessage", service: "sqs"}, 200, "xxx"},
		{"sqs unsigned", ask{method: "POST", path: "/", body: "{}", target: "AmazonSQS.ListQueues"}, 403, "MissingAuthenticationToken"},
		{"ses v2 unsigned", ask{method: "POST", path: "/v2/email/outbound-emails", body: "{}", contentType: "application/json"}, 403, "MissingAuthenticationToken"},
		{"query unsigned", ask{method: "POST", path: "/", body: "Action=ListQueues", contentType: "application/x-www-form-urlencoded"}, 403, "<Code>MissingAuthenticationToken</Code>"},
		{"query by GET unsigned", ask{method: "GET", path: "/?Action=ListQueues"}, 403, "<Code>MissingAuthenticationToken</Code>"},
		{"query wrong secret", ask{method: "POST", path: "/", body: "Action=ListQueues", contentType: "application/x-www-form-urlencoded", service: "sqs", secret: "x"}, 403, "<Code>SignatureDoesNotMatch</Code>"},
		{"sqs malformed signature", ask{method: "POST", path: "/", target: "AmazonSQS.ListQueues", authorization: "AWS4-HMAC-SHA256 x"}, 400, "IncompleteSignature"},
		{"unknown service", ask{method: "POST", path: "/", body: "{}", target: "DynamoDB_20120810.ListTables", service: "dynamodb"}, 400, "there are sqs, s3"},
		{"s3", ask{method: "PUT", path: "/bucket/key", body: strings.Repeat("y", 200), service: "s3", host: "bucket.localhost:4566"}, 200, "s3:bucket.localhost:4566:yyy"},
		{"s3 wrong secret is for s3 to say", ask{method: "GET", path: "/bucket/key", service: "s3", secret: "x"}, 200, "s3:"},
		{"s3 unsigned", ask{method: "GET", path: "/"}, 200, "s3:"},
		{"s3 unsigned curl -d", ask{method: "PUT", path: "/b/k", body: "hello", contentType: "application/x-www-form-urlencoded"}, 200, ":hello"},
		{"s3 malformed signature", ask{method: "GET", path: "/b/k", authorization: "AWS4-HMAC-SHA256 x"}, 200, "s3:"},
		{"s3 signature version 2", ask{method: "GET", path: "/b/k", authorization: "AWS key:sig"}, 200, "s3:"},
		{"s3 presigned", ask{method: "GET", path: "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=key%2F20260101%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=" + strings.Repeat("0", 64)}, 200, "s3:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := tc.ask.do(t, base)
			if resp.StatusCode != tc.status || !strings.Contains(body, tc.want) {
				t.Fatalf("%d %s; want %d and %q", resp.StatusCode, body, tc.status, tc.want)
			}
			if tc.status == 200 {
				return
			}
			if resp.Header.Get("X-Amzn-RequestId") == "" {
				t.Error("no request id")
			}
			if tc.ask.target != "" && !strings.HasSuffix(resp.Header.Get("X-Amzn-Query-Error"), ";Sender") {
				t.Error("no X-Amzn-Query-Error")
			}
		})
	}
}

func TestWithoutS3(t *testing.T) {
	g, err := gateway.New(gateway.Options{Credentials: []sigv4.Credentials{{AccessKeyID: "key", SecretAccessKey: "secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 403 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestOptions(t *testing.T) {
	good := []sigv4.Credentials{{AccessKeyID: "key", SecretAccessKey: "secret"}}
	for _, o := range []gateway.Options{
		{},
		{Credentials: good, Services: map[string]http.Handler{"sqs": nil}},
		{Credentials: good, Services: map[string]http.Handler{"s3": small{}}},
	} {
		if _, err := gateway.New(o); err == nil {
			t.Errorf("New(%+v) succeeded", o)
		}
	}
}
