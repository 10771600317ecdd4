package task

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
)

// endpoint is the embedded SQS server as dayfly runs it.
func endpoint(t *testing.T) string {
	url, _ := endpointOf(t)
	return url
}

// endpointOf is an endpoint, and what is behind it.
func endpointOf(t *testing.T) (url string, engineQueues *queue.Service) {
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	queues := queue.New(engine)
	server, err := sqsserver.New(sqsserver.Options{Service: queues})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: "AKIATEST", SecretAccessKey: "secret"}},
		Services:    map[string]http.Handler{"sqs": server},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(g)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		h.Close()
		if err := queues.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.URL, queues
}
