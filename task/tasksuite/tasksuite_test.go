package tasksuite_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/go-sql-driver/mysql"

	"github.com/dayfly-dev/dayfly/blob"
	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/internal/sqltest"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/diskqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
	"github.com/dayfly-dev/dayfly/records/awstest"
	"github.com/dayfly-dev/dayfly/records/open"
	"github.com/dayfly-dev/dayfly/task/payload"
	"github.com/dayfly-dev/dayfly/task/tasksuite"
)

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		os.Setenv(name, value) // which the addresses of S3 and DynamoDB leave out
	}
	os.Exit(sqltest.Main(m))
}

// queues are the services of the suite.
var queues = map[string]func(testing.TB) tasksuite.Harness{
	"embedded": func(t testing.TB) tasksuite.Harness { return tasksuite.Harness{Queues: embedded(t)} },
	"sqs":      func(t testing.TB) tasksuite.Harness { return tasksuite.Harness{Queues: overSQS(t)} },
	// A client that waits for messages keeps moto's one thread busy.
	"moto": func(t testing.TB) tasksuite.Harness {
		return tasksuite.Harness{Queues: overMoto(t), AtOnce: 5, Visibility: 20 * time.Second, GivesToTheGone: true, Slow: true}
	},
}

// ledgers are the stores of effects, by address.
var ledgers = map[string]func(*testing.T) string{
	"SQLite":     func(t *testing.T) string { return "sqlite:///" + filepath.Join(t.TempDir(), "records.db") },
	"PostgreSQL": func(t *testing.T) string { return sqltest.Postgres(t) + "&lossy=1" },
	"MariaDB": func(t *testing.T) string {
		c, err := mysql.ParseDSN(sqltest.MariaDB(t))
		if err != nil {
			t.Fatal(err)
		}
		return "mysql://" + c.User + "@/" + c.DBName + "?lossy=1&socket=" + c.Addr
	},
	"S3":       func(t *testing.T) string { return "s3://suite/records?region=us-east-1&endpoint=" + objects(t) },
	"DynamoDB": func(t *testing.T) string { return "dynamodb://suite?region=us-east-1&endpoint=" + awstest.Moto(t) },
}

// TestWorker: what a worker does, over each queue.
func TestWorker(t *testing.T) {
	t.Parallel()
	beside(t, queues, func(t *testing.T, make func(testing.TB) tasksuite.Harness) {
		h := make(t)
		h.Payloads = payloads(t)
		tasksuite.Run(t, h)
	})
}

// TestOnce: effects, with each store of them, over each queue.
func TestOnce(t *testing.T) {
	t.Parallel()
	services := map[string]tasksuite.Harness{}
	for name, make := range queues {
		services[name] = make(t)
	}
	beside(t, ledgers, func(t *testing.T, address func(*testing.T) string) {
		url := address(t)
		store, err := open.URL(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		beside(t, services, func(t *testing.T, h tasksuite.Harness) {
			h.Records = store
			if strings.HasPrefix(url, "dynamodb:") { // moto, which a listing a second of each worker keeps busy
				h.StoreAtOnce = 6
			}
			tasksuite.RunOnce(t, h)
		})
	})
}

// beside runs a test for each at the same time.
func beside[T any](t *testing.T, all map[string]T, test func(*testing.T, T)) {
	var running sync.WaitGroup
	defer running.Wait()
	for name, x := range all {
		running.Go(func() { t.Run(name, func(t *testing.T) { test(t, x) }) })
	}
}

func embedded(t testing.TB) *queue.Service {
	engine, err := diskqueue.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := queue.New(engine)
	t.Cleanup(func() { s.Close() })
	return s
}

// overSQS is the embedded engine behind the server and the client.
func overSQS(t testing.TB) *queue.Service {
	server, err := sqsserver.New(sqsserver.Options{Service: embedded(t)})
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
	return client(t, serve(t, g, server.Shutdown))
}

// overMoto is AWS's service as moto has it. Requests run beside each other, as
// one may wait for messages.
func overMoto(t testing.TB) *queue.Service {
	cmd := exec.Command(need.Python(t, "moto.server", "flask"), "-u", "-c", `
import sys
from moto.server import ThreadedMotoServer
s = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
s.start()
print("http://%s:%d" % s.get_host_and_port())
sys.stdin.read()
s.stop()`)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait() // it ends with its input
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	return client(t, strings.TrimSpace(url))
}

func client(t testing.TB, url string) *queue.Service {
	s := queue.New(sqsqueue.New(sqs.New(sqs.Options{BaseEndpoint: aws.String(url), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")}), nil))
	t.Cleanup(func() { s.Close() })
	return s
}

// objects is the embedded object store, with the bucket "suite"; its address.
func objects(t testing.TB) string {
	s, err := s3server.Open(s3server.Options{Dir: t.TempDir(), AccessKey: "AKIATEST", SecretKey: "secret", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.MakeBucket(t.Context(), "suite", s3server.BucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return serve(t, s, s.Shutdown)
}

func payloads(t testing.TB) *payload.Store {
	bucket, err := blob.Open(t.Context(), "suite", &blob.Options{Client: s3.New(s3.Options{
		BaseEndpoint: aws.String(objects(t)), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bucket.Close() })
	p, err := payload.New(bucket, "s3://suite", nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func serve(t testing.TB, h http.Handler, shutdown func(context.Context) error) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}
