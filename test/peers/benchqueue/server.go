package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/dayfly-dev/dayfly/test/peers/process"
)

// The subjects, as the tables name them.
const (
	dayfly       = "Dayfly (synced)"
	elastic      = "ElasticMQ (memory)"
	elasticH2    = "ElasticMQ (H2 file, not synced)"
	moto         = "moto (memory)"
	elasticClass = "org.elasticmq.server.Main"
)

// server is a process that speaks SQS over HTTP.
type server struct {
	*process.Process
	name   string
	host   string // host:port
	region string
	keys   aws.Credentials
}

func (s *server) url() string { return "http://" + s.host }

// client is aws-sdk-go-v2 as it comes, but for connections: it keeps one for
// each caller, where by itself it keeps 10 and opens new ones for the others.
func (s *server) client(callers int) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: s.region, BaseEndpoint: aws.String(s.url()), HTTPClient: keepAlive(callers),
		Credentials: credentials.NewStaticCredentialsProvider(s.keys.AccessKeyID, s.keys.SecretAccessKey, ""),
	})
}

// ready waits until the server lists its queues.
func (s *server) ready() error {
	c := s.client(1)
	return s.Until(2*time.Minute, "ready", func() bool {
		if l, err := net.DialTimeout("tcp", s.host, time.Second); err != nil {
			return false
		} else {
			l.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err := c.ListQueues(ctx, &sqs.ListQueuesInput{}, func(o *sqs.Options) { o.RetryMaxAttempts = 1 })
		return err == nil
	})
}

// startDayfly runs the binary on an application without processes, with its
// data in dir/data, which may hold queues already.
func startDayfly(binary, dir string) (*server, error) {
	p, env, err := process.StartDayfly(binary, dir, "")
	if err != nil {
		return nil, err
	}
	s := &server{Process: p, name: dayfly,
		host: strings.TrimPrefix(env["AWS_ENDPOINT_URL"], "http://"), region: env["AWS_REGION"],
		keys: aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}}
	return s, s.ready()
}

// startElastic runs ElasticMQ of the jars in a folder; with storage it keeps its
// messages in a file of the H2 database, which does not sync a commit.
func startElastic(jars, dir, heap string, storage bool) (*server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	name := elastic
	args := []string{"-Xms" + heap, "-Xmx" + heap, "-Dnode-address.host=127.0.0.1", fmt.Sprintf("-Dnode-address.port=%d", port),
		"-Drest-sqs.bind-hostname=127.0.0.1", fmt.Sprintf("-Drest-sqs.bind-port=%d", port)}
	if storage {
		name = elasticH2
		args = append(args, "-Dqueues-storage.enabled=true", "-Dqueues-storage.path="+filepath.Join(dir, "queues.conf"),
			"-Dmessages-storage.enabled=true", "-Dmessages-storage.uri=jdbc:h2:"+filepath.Join(dir, "messages"))
	}
	return startPeer(name, port, filepath.Join(dir, "log"), exec.Command("java", append(args, "-cp", filepath.Join(jars, "*"), elasticClass)...))
}

func startMoto(binary, dir string) (*server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	return startPeer(moto, port, filepath.Join(dir, "log"), exec.Command(binary, "-H", "127.0.0.1", "-p", fmt.Sprint(port)))
}

func startPeer(name string, port int, log string, cmd *exec.Cmd) (*server, error) {
	p, err := process.Start(log, cmd)
	if err != nil {
		return nil, err
	}
	s := &server{Process: p, name: name, host: fmt.Sprintf("127.0.0.1:%d", port), region: "us-east-1",
		keys: aws.Credentials{AccessKeyID: "AKIDBENCH", SecretAccessKey: "secret-of-the-benchmark"}}
	if err := s.ready(); err != nil {
		p.Kill()
		return nil, err
	}
	return s, nil
}
