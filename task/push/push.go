// Package push runs tasks in programs of any language: it receives from a queue
// and sends each task as an HTTP request, a CloudEvent in binary mode
// (doc/formats/task-push.md), to the address it was given and no other.
//
// A task is done when the answer is 2xx. What is promised is what package task
// promises: a task runs at least once, its lease is extended while it runs,
// after its last attempt it is a dead letter with what the endpoint said. No
// attempt is used up while the endpoint cannot be reached, so that nothing was
// sent, nor by a 429 or 503 that says when to come again.
//
// Nothing is durable here but in the queue.
package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/records"
	"github.com/dayfly-dev/dayfly/task"
	"github.com/dayfly-dev/dayfly/task/ledger"
	"github.com/dayfly-dev/dayfly/task/payload"
)

// Options of a Pusher.
type Options struct {
	// Queue the tasks come from; required. It has a dead-letter queue.
	Queue *queue.Queue
	// URL tasks are sent to, http or https, without user, password and
	// fragment; required.
	URL string
	// Token is sent as "Authorization: Bearer …", by which the endpoint knows
	// who asks: 16–256 printable ASCII characters without space; "" sends none.
	// It is never logged, nor kept when an answer repeats it.
	Token string
	// Concurrency is how many tasks are with the endpoint at once, 1–1000;
	// default 8; on a FIFO queue those of one group one after the other.
	Concurrency int
	// Timeout of one request, from its first byte to the head of the answer;
	// default 10 min, 1 s–12 h. Waiting for the endpoint to be reached is not
	// counted.
	Timeout time.Duration
	// Transport sends the requests; default one that connects to URL's host,
	// without a proxy. It must call httptrace's GotConn before the first byte
	// leaves, and not follow redirects.
	Transport http.RoundTripper
	// Backoff is the pause before a task that failed is pushed again; as a
	// worker's.
	Backoff task.Backoff
	// Payloads is where arguments too large for a message are, as for a worker.
	Payloads *payload.Store
	// Ledger keeps which tasks with the extension oncekey were done; default none,
	// and such tasks fail.
	Ledger *ledger.Ledger
	// Records are where queues are paused and tasks cancelled, and by which Limits
	// hold over all pushers and workers, as for a worker; default none.
	Records *records.Store
	// Limits of how many tasks are pushed at once, and begin in a time, as a
	// worker's: a task that is not let in waits beside the Concurrency, and then in
	// the queue, without an attempt used up. Default none.
	Limits []task.Limit
	// Once is what becomes of a task with oncekey of which nobody knows whether it
	// was done; default ledger.AtMostOnce.
	Once ledger.Policy
	// DrainTimeout is how long requests under way may go on at the end, default
	// 30 s.
	DrainTimeout time.Duration
	// Log takes what happens; default nothing is logged. Arguments of tasks are
	// not logged, what an endpoint answers to a failure is.
	Log *slog.Logger
	// OnResult is called after each push, from many goroutines; default nothing.
	OnResult func(task.Result)
}

const (
	defaultConcurrency = 8
	maxConcurrency     = 1000
	defaultTimeout     = 10 * time.Minute
	maxTimeout         = 12 * time.Hour // as long as SQS lets a message be in flight
)

// Pusher pushes the tasks of one queue.
type Pusher struct {
	o    Options
	to   *url.URL
	gate gate

	stopping <-chan struct{} // closed when Run's context ends
}

// New checks the options. It touches neither the queue nor the endpoint.
func New(o Options) (*Pusher, error) {
	if o.Queue == nil {
		return nil, errors.New("push: no queue")
	}
	to, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Concurrency == 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Concurrency < 1 || o.Concurrency > maxConcurrency {
		return nil, fmt.Errorf("push: Concurrency is %d, not 1–%d", o.Concurrency, maxConcurrency)
	}
	if o.Timeout < time.Second || o.Timeout > maxTimeout {
		return nil, fmt.Errorf("push: Timeout is %v, not 1s–12h", o.Timeout)
	}
	if o.Once != "" && o.Once != ledger.AtMostOnce && o.Once != ledger.AtLeastOnce {
		return nil, fmt.Errorf("push: Once is %q, neither %q nor %q", o.Once, ledger.AtMostOnce, ledger.AtLeastOnce)
	}
	if err := CheckToken(o.Token); o.Token != "" && err != nil {
		return nil, err
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pusher{o: o, to: to}
	if _, err := p.worker(); err != nil {
		return nil, err
	}
	p.gate.init(o.Log.With("queue", o.Queue.Name(), "endpoint", place(to)))
	return p, nil
}

// parseURL never repeats what may hold a password.
func parseURL(text string) (*url.URL, error) {
	to, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("push: URL is not an address such as http://host:port/tasks")
	case to.Scheme != "http" && to.Scheme != "https", to.Host == "":
		return nil, errors.New("push: URL must begin with http:// or https:// and a host")
	case to.User != nil || to.Fragment != "":
		return nil, errors.New("push: URL has a user or a fragment, which are not sent; Token tells the endpoint who asks")
	}
	return to, nil
}

// CheckToken reports what is wrong with a token.
func CheckToken(token string) error {
	if len(token) < 16 || len(token) > 256 {
		return fmt.Errorf("push: the token has %d characters, not 16–256: take 32 random ones, as `openssl rand -hex 16` prints", len(token))
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("push: the token has characters other than printable ASCII without space")
	}
	return nil
}

// Run pushes until ctx ends and then drains: tasks that wait for the endpoint
// are given back at once, requests under way may go on for DrainTimeout. It
// returns early when the queue does not exist, is closed, or has no dead-letter
// queue. One Run at a time.
func (p *Pusher) Run(ctx context.Context) error {
	w, err := p.worker()
	if err != nil {
		return err
	}
	p.stopping = ctx.Done()
	return w.Run(ctx)
}

// worker whose tasks are the pushes.
func (p *Pusher) worker() (*task.Worker, error) {
	return task.NewWorker(p.o.Queue, task.WorkerOptions{
		Tasks:       []task.Definition{task.Any(p.push)},
		Concurrency: p.o.Concurrency, Backoff: p.o.Backoff, DrainTimeout: p.o.DrainTimeout, Limits: p.o.Limits,
		Payloads: p.o.Payloads, Ledger: p.o.Ledger, Records: p.o.Records, Log: p.o.Log, OnResult: p.o.OnResult,
	})
}
