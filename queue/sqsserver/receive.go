package sqsserver

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// receiving are the arguments of ReceiveMessage.
type receiving struct {
	url        string
	system     []string
	attributes []string
	o          queue.ReceiveOptions
	visibility int // seconds; absent: the queue's
	wait       int
}

// absent marks a number that was not given; SQS has no use for it.
const absent = -1 << 31

func (q *receiving) decode(d *decoder) error {
	q.o.Max, q.visibility, q.wait = 1, absent, absent
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			q.url = d.str()
		case "AttributeNames", "MessageSystemAttributeNames":
			q.system = append(q.system, d.strings()...)
		case "MessageAttributeNames":
			q.attributes = d.strings()
		case "MaxNumberOfMessages":
			q.o.Max = d.integer(1)
		case "VisibilityTimeout":
			q.visibility = d.integer(absent)
		case "WaitTimeSeconds":
			q.wait = d.integer(absent)
		case "ReceiveRequestAttemptId":
			q.o.AttemptID = d.str()
		default:
			d.skip()
		}
	})
	return d.done()
}

func (q *receiving) check() error {
	if err := inRange("MaxNumberOfMessages", q.o.Max, 1, 10, "Must be between 1 and 10, if provided."); err != nil {
		return err
	}
	q.o.Visibility, q.o.Wait = -1, -1
	if q.visibility != absent {
		if err := inRange("VisibilityTimeout", q.visibility, 0, 43200, "Must be >= 0 and <= 43200, if provided."); err != nil {
			return err
		}
		q.o.Visibility = seconds(q.visibility)
	}
	if q.wait != absent {
		if err := inRange("WaitTimeSeconds", q.wait, 0, 20, "Must be >= 0 and <= 20, if provided."); err != nil {
			return err
		}
		q.o.Wait = seconds(q.wait)
	}
	for _, n := range q.system {
		if !slices.Contains(systemAttributes, n) && !isAll(n) {
			return unknownAttribute(n)
		}
	}
	return nil
}

func receiveMessage(c *call, d *decoder, e *encoder) error {
	var q receiving
	if err := q.decode(d); err != nil {
		return err
	}
	name, err := c.queueName(q.url)
	if err != nil {
		return err
	}
	if err := q.check(); err != nil {
		return err
	}
	messages, err := c.receive(name, q.o)
	if err != nil {
		return q.refusal(err)
	}
	all := slices.ContainsFunc(q.system, isAll)
	e.begin()
	if len(messages) > 0 {
		e.beginList("Messages")
		for i := range messages {
			c.writeMessage(e, &messages[i], &q, all)
		}
		e.endList()
	}
	e.end()
	return nil
}

// refusal puts in SQS's words what package queue refused.
func (q *receiving) refusal(err error) error {
	var invalid *queue.InvalidError
	if errors.As(err, &invalid) && invalid.Field == "AttemptID" {
		return wrongValue(q.o.AttemptID, "ReceiveRequestAttemptId",
			"ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return err
}

// receive ends waiting when the client goes away or the server shuts down.
// Messages taken for a client that has left by then are given back: nobody
// would see them before their visibility ends.
func (c *call) receive(name string, o queue.ReceiveOptions) ([]queue.Message, error) {
	ctx := c.r.Context()
	if o.Wait == 0 {
		return c.queues.Receive(ctx, name, o)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	m, err := c.queues.Receive(ctx, name, o)
	if errors.Is(err, context.Canceled) && c.closing.Err() != nil && c.r.Context().Err() == nil {
		return nil, nil
	}
	if err == nil && len(m) > 0 && c.r.Context().Err() != nil {
		c.giveBack(name, m)
		return nil, c.r.Context().Err()
	}
	return m, err
}

func (c *call) giveBack(name string, m []queue.Message) {
	changes := make([]queue.VisibilityChange, len(m))
	for i := range m {
		changes[i].Receipt = m[i].Receipt
	}
	if _, err := c.queues.ChangeVisibility(context.WithoutCancel(c.r.Context()), name, changes); err != nil {
		c.log.Warn("sqs: messages of a client that left wait for their visibility to end", "queue", name, "messages", len(m), "err", err)
	}
}

// writeMessage writes one received message.
func (c *call) writeMessage(e *encoder, m *queue.Message, q *receiving, all bool) {
	e.begin()
	e.str("MessageId", m.ID)
	e.str("ReceiptHandle", m.Receipt)
	e.sum("MD5OfBody", bodySum(m.Body))
	e.str("Body", m.Body)
	c.writeSystemAttributes(e, m, q.system, all)
	if wanted := selected(m.Attributes, q.attributes); len(wanted) > 0 {
		e.sum("MD5OfMessageAttributes", attributesSum(wanted))
		e.beginObject("MessageAttributes")
		for n, a := range wanted {
			e.beginObject(n)
			if a.Binary != nil {
				e.blob("BinaryValue", a.Binary)
			} else {
				e.str("StringValue", a.String)
			}
			e.str("DataType", a.DataType)
			e.end()
		}
		e.end()
	}
	e.end()
}

// writeSystemAttributes writes those asked for that the message has; there is
// no member without any.
func (c *call) writeSystemAttributes(e *encoder, m *queue.Message, names []string, all bool) {
	begun := false
	for _, n := range systemAttributes {
		if !all && !slices.Contains(names, n) {
			continue
		}
		if value := c.systemAttribute(m, n); value != "" {
			if !begun {
				begun = true
				e.beginObject("Attributes")
			}
			e.str(n, value)
		}
	}
	if begun {
		e.end()
	}
}

// systemAttributes are all there are, in the order they are answered.
var systemAttributes = []string{
	"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
	"SequenceNumber", "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn",
}

// systemAttribute is the value of one, "" when the message has none.
func (c *call) systemAttribute(m *queue.Message, name string) string {
	stamp := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	switch name {
	case "SenderId":
		return c.account // there are no users within the account
	case "SentTimestamp":
		return stamp(m.Sent)
	case "ApproximateReceiveCount":
		return strconv.Itoa(m.Receives)
	case "ApproximateFirstReceiveTimestamp":
		return stamp(m.FirstReceived)
	case "SequenceNumber":
		return m.Sequence
	case "MessageDeduplicationId":
		return m.DedupID
	case "MessageGroupId":
		return m.GroupID
	case "DeadLetterQueueSourceArn":
		if m.Source != "" {
			return c.arn(m.Source)
		}
		return ""
	}
	return m.System[name].String
}

// selected are the attributes asked for: by name, "All", "*", ".*", or by a
// prefix as in "foo.*".
func selected(m map[string]queue.Attribute, names []string) map[string]queue.Attribute {
	if len(m) == 0 || len(names) == 0 {
		return nil
	}
	wanted := map[string]queue.Attribute{}
	for n, a := range m {
		for _, w := range names {
			prefix, isPrefix := strings.CutSuffix(w, ".*")
			if n == w || w == "*" || isAll(w) || isPrefix && strings.HasPrefix(n, prefix) {
				wanted[n] = a
				break
			}
		}
	}
	return wanted
}
