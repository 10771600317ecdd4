package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/dayfly-dev/dayfly/test/peers/process"
	"github.com/dayfly-dev/dayfly/test/peers/turns"
)

// keepAlive is an HTTP client that keeps a connection for each of its callers.
func keepAlive(callers int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: time.Minute}
}

const sdkClients = 16

// sdk measures servers through aws-sdk-go-v2.
type sdk struct {
	servers map[string]*server
	lasts   time.Duration
}

func (m *sdk) works(aims []turns.Aim) []turns.Work {
	return []turns.Work{
		{Name: "send", Aims: aims, Run: m.with(0, m.send)},
		{Name: "receive + delete", Aims: aims, Run: m.with(filled, m.consume)},
		{Name: "send by 10", Aims: aims, Run: m.with(0, m.sendTen)},
	}
}

// with runs a load on a queue of its own, which holds about so many messages.
func (m *sdk) with(messages int, do func(*sqs.Client, string) (turns.Sample, error)) func(string) (turns.Sample, error) {
	return func(subject string) (turns.Sample, error) {
		s := m.servers[subject]
		c := s.client(sdkClients)
		defer c.Options().HTTPClient.(*http.Client).CloseIdleConnections()
		q, err := makeQueue(c)
		if err != nil {
			return turns.Sample{}, err
		}
		defer dropQueue(c, q)
		if err := fill(s, q, messages, 2*m.lasts); err != nil {
			return turns.Sample{}, fmt.Errorf("fill: %w", err)
		}
		process.Settle([]*process.Process{s.Process})
		cpu := s.CPU()
		found, err := do(c, q)
		found.Server = s.CPU() - cpu
		return found, err
	}
}

var queues atomic.Int64

// makeQueue makes a new queue and returns its URL. What is received stays
// hidden for longer than the benchmark takes.
func makeQueue(c *sqs.Client) (string, error) {
	return makeNamedQueue(c, fmt.Sprintf("bench-%d", queues.Add(1)))
}

func makeNamedQueue(c *sqs.Client, name string) (string, error) {
	a := map[string]string{"VisibilityTimeout": "3600"}
	if strings.HasSuffix(name, ".fifo") {
		a["FifoQueue"] = "true"
	}
	out, err := c.CreateQueue(context.Background(), &sqs.CreateQueueInput{QueueName: &name, Attributes: a})
	if err != nil {
		return "", err
	}
	return *out.QueueUrl, nil
}

func dropQueue(c *sqs.Client, q string) {
	c.DeleteQueue(context.Background(), &sqs.DeleteQueueInput{QueueUrl: &q}) //nolint:errcheck // the server ends soon
}

// filled is how many messages a queue holds that is received from: fewer than
// SQS lets be in flight.
const filled = 60_000

// fill sends that many messages, or as many as it can in a time.
func fill(s *server, queue string, messages int, lasts time.Duration) error {
	_, err := fillUp(s, queue, messages, lasts)
	return err
}

func fillUp(s *server, queue string, messages int, lasts time.Duration) (turns.Sample, error) {
	if messages == 0 {
		return turns.Sample{}, nil
	}
	request, err := newMaker(s, queue).sendTen()
	if err != nil {
		return turns.Sample{}, err
	}
	all := dialAll(s.host, sdkClients)
	defer all.close()
	left := turns.NewBudget(messages)
	return turns.Load(len(all), lasts, func(c int) (int, error) {
		if left.Take(10) == 0 {
			return 0, nil
		}
		_, err := all[c].do(request)
		return 10, err
	})
}

func (m *sdk) send(c *sqs.Client, q string) (turns.Sample, error) {
	return turns.Load(sdkClients, m.lasts, func(int) (int, error) {
		_, err := c.SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: &q, MessageBody: &body})
		return 1, err
	})
}

func (m *sdk) sendTen(c *sqs.Client, q string) (turns.Sample, error) {
	return turns.Load(sdkClients, m.lasts, func(int) (int, error) {
		entries := make([]types.SendMessageBatchRequestEntry, 10)
		for i := range entries {
			entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body}
		}
		out, err := c.SendMessageBatch(context.Background(), &sqs.SendMessageBatchInput{QueueUrl: &q, Entries: entries})
		if err == nil && len(out.Successful) != len(entries) {
			err = fmt.Errorf("%d of %d messages were taken", len(out.Successful), len(entries))
		}
		return len(entries), err
	})
}

// consume receives one message and deletes it. Each must come once only.
func (m *sdk) consume(c *sqs.Client, q string) (turns.Sample, error) {
	var seen sync.Map
	return turns.Load(sdkClients, m.lasts, func(int) (int, error) {
		got, err := c.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{QueueUrl: &q, MaxNumberOfMessages: 1})
		if err != nil || len(got.Messages) == 0 {
			return 0, err
		}
		if _, twice := seen.LoadOrStore(strings.Clone(*got.Messages[0].MessageId), nil); twice {
			return 0, fmt.Errorf("message %s was delivered twice", *got.Messages[0].MessageId)
		}
		_, err = c.DeleteMessage(context.Background(), &sqs.DeleteMessageInput{QueueUrl: &q, ReceiptHandle: got.Messages[0].ReceiptHandle})
		return 1, err
	})
}
