package sqsqueue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

const (
	maxBatch = 10
	// largeBatch is the most that is put in a request to an endpoint of dayfly.
	largeBatch = 100
	// entriesHeader is how endpoint and client tell each other that they know
	// large batches.
	entriesHeader = "X-Dayfly-Entries"
)

// Send stores messages, BatchSize a request.
func (s *Service) Send(ctx context.Context, name string, m []driver.Outgoing) ([]driver.Sent, error) {
	sent := make([]driver.Sent, 0, len(m))
	err := s.onQueue(ctx, "send to", name, func(ctx context.Context, url *string) error {
		fifo := isFIFO(name)
		if len(m) == 1 {
			if some, err, ok := s.direct.send(ctx, *url, fifo, m); ok {
				sent = append(sent, some...)
				return err
			}
			one, err := s.sendOne(ctx, url, fifo, &m[0])
			sent = append(sent, one)
			return err
		}
		for rest := m; len(rest) > 0; {
			n := min(len(rest), s.direct.batchSize())
			some, err, ok := s.direct.send(ctx, *url, fifo, rest[:n])
			if !ok {
				n = min(n, maxBatch)
				some, err = s.sendBatch(ctx, url, fifo, rest[:n])
			}
			if partial, ok := errors.AsType[*driver.PartialError](err); ok && n < len(m) {
				err = partial.Unwrap() // it is about some of m only
			}
			if err != nil {
				return err
			}
			sent, rest = append(sent, some...), rest[n:]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sent, nil
}

// isFIFO: such queues have no delays of single messages, not even none.
func isFIFO(name string) bool { return strings.HasSuffix(name, ".fifo") }

func (s *Service) sendOne(ctx context.Context, url *string, fifo bool, m *driver.Outgoing) (driver.Sent, error) {
	in := &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: &m.Body, MessageAttributes: attributes(m.Attributes),
		MessageGroupId: some(m.GroupID), MessageDeduplicationId: some(m.DedupID),
	}
	for k, a := range attributes(m.System) {
		if in.MessageSystemAttributes == nil {
			in.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{}
		}
		in.MessageSystemAttributes[k] = systemValue(a)
	}
	var with []func(*sqs.Options)
	switch {
	case m.Delay > 0:
		in.DelaySeconds = seconds(m.Delay)
	case m.Delay == 0 && !fifo:
		with = append(with, withZero("DelaySeconds", `{`))
	}
	out, err := s.client.SendMessage(ctx, in, with...)
	if err != nil {
		return driver.Sent{}, err
	}
	return driver.Sent{ID: aws.ToString(out.MessageId), Sequence: aws.ToString(out.SequenceNumber)}, nil
}

func systemValue(a types.MessageAttributeValue) types.MessageSystemAttributeValue {
	return types.MessageSystemAttributeValue{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
}

// entryID names the entries of a batch by their place.
func entryID(i int) *string { return aws.String(strconv.Itoa(i)) }

func (s *Service) sendBatch(ctx context.Context, url *string, fifo bool, m []driver.Outgoing) ([]driver.Sent, error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: url, Entries: make([]types.SendMessageBatchRequestEntry, len(m))}
	var zeros []string
	for i := range m {
		e := types.SendMessageBatchRequestEntry{
			Id: entryID(i), MessageBody: &m[i].Body, MessageAttributes: attributes(m[i].Attributes),
			MessageGroupId: some(m[i].GroupID), MessageDeduplicationId: some(m[i].DedupID),
		}
		for k, a := range attributes(m[i].System) {
			if e.MessageSystemAttributes == nil {
				e.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{}
			}
			e.MessageSystemAttributes[k] = systemValue(a)
		}
		switch {
		case m[i].Delay > 0:
			e.DelaySeconds = seconds(m[i].Delay)
		case m[i].Delay == 0 && !fifo:
			zeros = append(zeros, `{"Id":"`+*e.Id+`"`)
		}
		in.Entries[i] = e
	}
	var with []func(*sqs.Options)
	if len(zeros) > 0 {
		with = append(with, withZero("DelaySeconds", zeros...))
	}
	out, err := s.client.SendMessageBatch(ctx, in, with...)
	if err != nil {
		return nil, err
	}
	replied := &batchReply{}
	for _, f := range out.Failed {
		replied.Failed = append(replied.Failed, failedEntry{aws.ToString(f.Id), aws.ToString(f.Code), aws.ToString(f.Message)})
	}
	for _, ok := range out.Successful {
		replied.Successful = append(replied.Successful, storedEntry{aws.ToString(ok.Id), aws.ToString(ok.MessageId), aws.ToString(ok.SequenceNumber)})
	}
	return replied.sent(len(m))
}

// Receive hands out messages.
func (s *Service) Receive(ctx context.Context, name string, o driver.ReceiveOptions) (got []driver.Message, err error) {
	in := &sqs.ReceiveMessageInput{
		MaxNumberOfMessages:         int32(o.Max),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
		ReceiveRequestAttemptId:     some(o.AttemptID),
	}
	var with []func(*sqs.Options)
	switch {
	case o.Visibility > 0:
		in.VisibilityTimeout = seconds(o.Visibility)
	case o.Visibility == 0:
		with = append(with, withZero("VisibilityTimeout", `{`))
	}
	switch {
	case o.Wait > 0:
		in.WaitTimeSeconds = seconds(o.Wait)
	case o.Wait == 0:
		with = append(with, withZero("WaitTimeSeconds", `{`))
	}
	err = s.onQueue(ctx, "receive from", name, func(ctx context.Context, url *string) error {
		var ok bool
		if got, ok = s.direct.receive(ctx, *url, &o); ok {
			return nil
		}
		in.QueueUrl = url
		out, err := s.client.ReceiveMessage(ctx, in, with...)
		if err != nil {
			return err
		}
		for i := range out.Messages {
			got = append(got, message(&out.Messages[i]))
		}
		return nil
	})
	return got, err
}

// systemAttributes are those of a received message that a driver tells of.
type systemAttributes struct {
	ApproximateReceiveCount, SentTimestamp, ApproximateFirstReceiveTimestamp string
	MessageGroupId, MessageDeduplicationId, SequenceNumber                   string
	DeadLetterQueueSourceArn, AWSTraceHeader                                 string
}

func (a *systemAttributes) message(id, receipt, body string) driver.Message {
	receives, _ := strconv.Atoi(a.ApproximateReceiveCount) // absent: 0
	got := driver.Message{
		ID: id, Receipt: receipt, Body: body,
		Sent: milliseconds(a.SentTimestamp), FirstReceived: milliseconds(a.ApproximateFirstReceiveTimestamp), Receives: receives,
		GroupID: a.MessageGroupId, DedupID: a.MessageDeduplicationId, Sequence: a.SequenceNumber, Source: nameOf(a.DeadLetterQueueSourceArn),
	}
	if a.AWSTraceHeader != "" {
		got.System = map[string]driver.Attribute{"AWSTraceHeader": {DataType: "String", String: a.AWSTraceHeader}}
	}
	return got
}

func message(m *types.Message) driver.Message {
	a := m.Attributes
	system := systemAttributes{
		a["ApproximateReceiveCount"], a["SentTimestamp"], a["ApproximateFirstReceiveTimestamp"],
		a["MessageGroupId"], a["MessageDeduplicationId"], a["SequenceNumber"], a["DeadLetterQueueSourceArn"], a["AWSTraceHeader"],
	}
	got := system.message(aws.ToString(m.MessageId), aws.ToString(m.ReceiptHandle), aws.ToString(m.Body))
	if len(m.MessageAttributes) > 0 {
		got.Attributes = make(map[string]driver.Attribute, len(m.MessageAttributes))
		for k, v := range m.MessageAttributes {
			got.Attributes[k] = driver.Attribute{DataType: aws.ToString(v.DataType), String: aws.ToString(v.StringValue), Binary: v.BinaryValue}
		}
	}
	return got
}

func milliseconds(v string) time.Time {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

func attributes(m map[string]driver.Attribute) map[string]types.MessageAttributeValue {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]types.MessageAttributeValue, len(m))
	for k, a := range m {
		v := types.MessageAttributeValue{DataType: aws.String(a.DataType), BinaryValue: a.Binary}
		if a.Binary == nil {
			v.StringValue = aws.String(a.String)
		}
		out[k] = v
	}
	return out
}

// some is nil for "".
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
