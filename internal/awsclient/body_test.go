package awsclient

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// early is a transport whose reply comes before net/http is done with the
// request: it reads the body, closes it as the SDK does when the reply is there,
// and looks what net/http would find in it then.
type early struct {
	http.RoundTripper
	found error
}

func (e *early) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	_, e.found = io.Copy(io.Discard, r.Body)
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return e.RoundTripper.RoundTrip(r)
}

// TestSteadyBody: a body that was read and closed ends without an error. The SDK's
// own ends with one: when it does no more, SteadyBody can go.
func TestSteadyBody(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_, _ = io.WriteString(w, `{"TableNames":["a"]}`)
	}))
	defer service.Close()
	for name, c := range map[string]struct {
		options []func(*middleware.Stack) error
		fails   bool
	}{
		"the SDK's own": {nil, true},
		"steady":        {[]func(*middleware.Stack) error{SteadyBody}, false},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &early{RoundTripper: http.DefaultTransport}
			client := dynamodb.New(dynamodb.Options{
				Region: "us-east-1", BaseEndpoint: aws.String(service.URL), APIOptions: c.options, HTTPClient: &http.Client{Transport: transport},
				Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
			})
			got, err := client.ListTables(t.Context(), nil)
			if err != nil || len(got.TableNames) != 1 {
				t.Fatal(got, err)
			}
			if failed := transport.found != nil; failed != c.fails {
				t.Errorf("the body ends with %v", transport.found)
			}
		})
	}
}
