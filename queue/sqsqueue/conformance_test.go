package sqsqueue_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/driver"
	"github.com/dayfly-dev/dayfly/queue/drivertest"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
)

const (
	accessKey = "AKIDDAYFLY"
	secretKey = "secret-of-the-tests"
)

// endpoint is gateway, server and engine on loopback.
type endpoint struct {
	url    string
	http   *http.Server
	served chan error
	server *sqsserver.Server
	queues *queue.Service
}

// listen starts an endpoint on a folder; what goes wrong inside is in the test's log.
func listen(t *testing.T, dir string) (*endpoint, error) {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	engine, err := diskqueue.Open(dir, &diskqueue.Options{Log: log})
	if err != nil {
		return nil, err
	}
	e := &endpoint{queues: queue.New(engine), served: make(chan error, 1)}
	if e.server, err = sqsserver.New(sqsserver.Options{Service: e.queues, Log: log}); err != nil {
		return nil, err
	}
	g, err := gateway.New(gateway.Options{
		Credentials: []sigv4.Credentials{{AccessKeyID: accessKey, SecretAccessKey: secretKey}},
		Services:    map[string]http.Handler{"sqs": e.server},
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e.url, e.http = "http://"+l.Addr().String(), &http.Server{Handler: g}
	go func() { e.served <- e.http.Serve(l) }()
	return e, nil
}

func (e *endpoint) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	e.server.Shutdown(ctx)
	err := e.http.Shutdown(ctx)
	if err != nil {
		e.http.Close()
	}
	<-e.served
	if err := e.queues.Close(); err != nil {
		return err
	}
	return err
}

func client(url string) *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: aws.String(url), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Second}},
	})
}

// The suite through client, signature, HTTP, server and engine: client and
// server check each other, and both must add nothing to what a queue does.
func TestConformance(t *testing.T) {
	t.Parallel() // most of it is waiting, as with the other runs of the suite
	drivertest.Run(t, harness(client))
}

// harness runs the suite with clients of an endpoint.
func harness(client func(url string) *sqs.Client) drivertest.Harness {
	skip := map[string]string{
		"LongPoll/CanceledWaiterPassesOn": "a message may be on the wire to the client that left; it comes back when its visibility ends",
	}
	return drivertest.Harness{Skip: skip, New: func(t *testing.T) *drivertest.Store {
		dir := t.TempDir()
		e, err := listen(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.close(); err != nil {
				t.Error(err)
			}
		})
		s := sqsqueue.New(client(e.url), nil)
		store := &drivertest.Store{Service: s}
		store.Reopen = func() (driver.Service, error) {
			store.Service.Close()
			if err := e.close(); err != nil {
				return nil, err
			}
			if e, err = listen(t, dir); err != nil {
				return nil, err
			}
			return sqsqueue.New(client(e.url), nil), nil
		}
		return store
	}}
}

// The suite on a service that is not ours.
func TestConformanceMoto(t *testing.T) {
	t.Parallel()
	url := moto(t)
	drivertest.Run(t, drivertest.Harness{
		Remote: true,
		AtOnce: 5, // a client that waits for messages keeps moto's one thread busy
		New: func(*testing.T) *drivertest.Store {
			return &drivertest.Store{Service: sqsqueue.New(client(url), nil)}
		},
		Skip: motoFails,
	})
}

// moto starts moto's server and returns its address.
func moto(t *testing.T) string {
	t.Helper()
	py := need.Python(t, "moto.server", "flask")
	addr := need.Address(t) // moto wants a number
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, py, "-m", "moto.server", "-H", "127.0.0.1", "-p", strings.TrimPrefix(addr, "127.0.0.1:"))
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	url := "http://" + addr
	for begun := time.Now(); ; {
		resp, err := http.Get(url + "/moto-api/")
		if err == nil {
			resp.Body.Close()
			return url
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("moto does not answer: %v", err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
}
