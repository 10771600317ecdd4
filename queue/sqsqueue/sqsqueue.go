// Package sqsqueue is the queue on an Amazon SQS endpoint: AWS's own, the one
// embedded in dayfly, or any other that speaks the protocol. It is a client of
// aws-sdk-go-v2, with the SDK's retries. On a loopback address, where the SDK is
// most of what a message costs, sends, receives, deletes and changes of
// visibility are first tried without it; not when the client was given an HTTP
// client, middleware or the like of its own.
//
// Open is for applications: it takes a queue's URL and reads the rest from the
// environment as every AWS program does (AWS_ENDPOINT_URL, AWS_REGION,
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ~/.aws).
//
// SQS knows whole seconds: durations are rounded up to them. A Send of more
// than ten messages (BatchSize) is several requests; when one of them fails the others may
// have happened, and sending all again delivers those twice. So does a request
// whose reply was lost: it is made again, by the SDK's retries and after a first
// try without it, and both are delivered, with one body and two ids.
package sqsqueue

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/internal/awsclient"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Options of New and Open; nil means the defaults.
type Options struct {
	// Config is the SDK's configuration for Open; nil loads the default one
	// from environment and files.
	Config *aws.Config
}

// Service is a driver of package queue. Its methods may be called from any
// number of goroutines.
type Service struct {
	client  *sqs.Client
	direct  *direct  // nil where the endpoint is not on this machine
	urls    sync.Map // name to URL, both string
	closing context.Context
	close   context.CancelFunc
}

var (
	_ driver.Service = (*Service)(nil)
	_ driver.Mover   = (*Service)(nil)
	_ driver.Remote  = (*Service)(nil)
	_ driver.Batcher = (*Service)(nil)
)

// New returns the driver that uses a client's configuration and connections.
// Closing it leaves them alone.
func New(client *sqs.Client, _ *Options) *Service {
	s := &Service{client: sqs.New(client.Options(), func(o *sqs.Options) { o.APIOptions = append(o.APIOptions, awsclient.SteadyBody) }), direct: newDirect(client.Options())}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// Open returns the queue of a URL such as
// http://127.0.0.1:4566/000000000000/default. No request is made. Unless the
// configuration names an endpoint, requests go to the host of the URL.
// Close it with Service().Close().
func Open(ctx context.Context, queueURL string, o *Options) (*queue.Queue, error) {
	u, err := url.Parse(queueURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("sqsqueue: %q is not the URL of a queue, such as https://sqs.eu-west-1.amazonaws.com/123456789012/default", queueURL)
	}
	name := path.Base(u.Path)
	if name == "." || name == "/" {
		return nil, fmt.Errorf("sqsqueue: the URL %q ends without the name of a queue", queueURL)
	}
	var cfg aws.Config
	if o != nil && o.Config != nil {
		cfg = o.Config.Copy()
	} else if cfg, err = config.LoadDefaultConfig(ctx); err != nil {
		return nil, fmt.Errorf("sqsqueue: AWS configuration: %w", err)
	}
	client := sqs.NewFromConfig(cfg, func(so *sqs.Options) {
		if so.BaseEndpoint == nil && !strings.HasSuffix(u.Hostname(), ".amazonaws.com") {
			so.BaseEndpoint = aws.String(u.Scheme + "://" + u.Host)
		}
	})
	s := New(client, o)
	s.urls.Store(name, queueURL)
	return queue.New(s).Queue(name), nil
}

// Close ends what is waiting; the client's connections stay open for others.
func (s *Service) Close() error {
	s.close()
	s.direct.close()
	return nil
}

// Remote says that calls are requests.
func (s *Service) Remote() {}

// BatchSize is how many messages a request has at most: ten, and 100 to an
// endpoint of dayfly on this machine, once it has answered a request.
func (s *Service) BatchSize() int { return s.direct.batchSize() }

// scope returns a context that Close ends too. Its cancel must be called.
func (s *Service) scope(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	return ctx, func() { stop(); cancel() }
}

// url finds the URL of a queue, by asking once.
func (s *Service) url(ctx context.Context, name string) (*string, error) {
	if u, ok := s.urls.Load(name); ok {
		u := u.(string)
		return &u, nil
	}
	out, err := s.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return nil, err
	}
	s.urls.Store(name, aws.ToString(out.QueueUrl))
	return out.QueueUrl, nil
}

// seconds rounds up.
func seconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second)
}
