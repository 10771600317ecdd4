package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// BenchmarkGateway is what the gateway adds to a request before its service
// begins: a SendMessage of 200 bytes, as an SDK signs it.
func BenchmarkGateway(b *testing.B) {
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: "key", SecretAccessKey: "secret"}},
		Services:    map[string]http.Handler{"sqs": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})},
	})
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(`{"QueueUrl":"http://127.0.0.1:4566/000000000000/bench","MessageBody":"` + strings.Repeat("x", 200) + `"}`)
	r := httptest.NewRequest("POST", "http://127.0.0.1:4566/", bytes.NewReader(body))
	for name, v := range map[string]string{"Content-Type": jsonType, "X-Amz-Target": "AmazonSQS.SendMessage", "User-Agent": "aws-sdk-go-v2/1.47.6",
		"Amz-Sdk-Invocation-Id": "b7f0ce4e-1d9c-4a8e-9d0c-0a7a1d9b8e11", "Amz-Sdk-Request": "attempt=1; max=3", "Accept-Encoding": "identity"} {
		r.Header.Set(name, v)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"},
		r, hex.EncodeToString(sum[:]), "sqs", "eu-central-2", time.Now()); err != nil {
		b.Fatal(err)
	}
	read := bytes.NewReader(body)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		read.Reset(body)
		r.Body = io.NopCloser(read)
		g.ServeHTTP(w, r)
	}
	if w.Code != http.StatusOK {
		b.Fatal(w.Code, w.Body)
	}
}
