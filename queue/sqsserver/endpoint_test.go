package sqsserver_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/http1"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
)

const (
	accessKey = "AKIDDAYFLY"
	secretKey = "secret-of-the-tests"
)

// endpoint is the real thing on loopback: gateway, server, engine on disk.
type endpoint struct {
	url    string
	server *sqsserver.Server
	queues *queue.Service
}

func listen(t testing.TB) *endpoint {
	t.Helper()
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	e := &endpoint{queues: queue.New(engine)}
	if e.server, err = sqsserver.New(sqsserver.Options{Service: e.queues}); err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: accessKey, SecretAccessKey: secretKey}},
		Services:    map[string]http.Handler{"sqs": e.server},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &http1.Server{HTTP: &http.Server{Handler: g}}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	e.url = "http://" + l.Addr().String()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		e.server.Shutdown(ctx)
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("server: %v", err)
		}
		<-served
		if err := e.queues.Close(); err != nil {
			t.Errorf("queues: %v", err)
		}
	})
	return e
}

func (e *endpoint) client() *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: aws.String(e.url), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}
