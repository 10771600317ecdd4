package sqsserver

import (
	"errors"
	"fmt"

	"github.com/dayfly-dev/dayfly/queue"
)

// Bodies and attributes of a batch together, bytes.
const maxBatchBytes = 1 << 20

// sending is a message to send and what became of it. A batch has one per entry.
type sending struct {
	id     string
	out    queue.Outgoing
	delay  int // seconds; absent: the queue's
	sent   queue.Sent
	failed error
}

// field decodes what SendMessage and an entry of SendMessageBatch share.
func (m *sending) field(d *decoder, key []byte) {
	switch string(key) {
	case "MessageBody":
		m.out.Body = d.str()
	case "DelaySeconds":
		m.delay = d.integer(absent)
	case "MessageAttributes":
		m.out.Attributes = messageAttributes(d)
	case "MessageSystemAttributes":
		m.out.System = messageAttributes(d)
	case "MessageDeduplicationId":
		m.out.DedupID = d.str()
	case "MessageGroupId":
		m.out.GroupID = d.str()
	case "Id":
		m.id = d.str()
	default:
		d.skip()
	}
}

// ready turns the delay into the queue's terms.
func (m *sending) ready() error {
	if m.delay != absent && (m.delay < 0 || m.delay > 900) {
		return wrongValue(fmt.Sprint(m.delay), "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
	}
	m.out.Delay = -1
	if m.delay != absent {
		m.out.Delay = seconds(m.delay)
	}
	return nil
}

func messageAttributes(d *decoder) map[string]queue.Attribute {
	if d.null() {
		return nil
	}
	m := map[string]queue.Attribute{}
	d.object(func(key []byte) {
		name := string(key)
		var a queue.Attribute
		d.object(func(key []byte) {
			switch string(key) {
			case "DataType":
				a.DataType = d.str()
			case "StringValue":
				a.String = d.str()
			case "BinaryValue":
				a.Binary = d.blob()
			default: // lists of values are not implemented by SQS either
				d.skip()
			}
		})
		m[name] = a
	})
	return m
}

func sendMessage(c *call, d *decoder, e *encoder) error {
	var url string
	m := sending{delay: absent}
	d.object(func(key []byte) {
		if string(key) == "QueueUrl" {
			url = d.str()
		} else {
			m.field(d, key)
		}
	})
	if err := d.done(); err != nil {
		return err
	}
	name, err := c.queueName(url)
	if err != nil {
		return err
	}
	if err := m.ready(); err != nil {
		return err
	}
	sent, err := c.queues.Send(c.r.Context(), name, []queue.Outgoing{m.out})
	if err != nil {
		return c.tooLarge(name, err)
	}
	m.sent = sent[0]
	e.begin()
	m.write(e)
	e.end()
	return nil
}

// write writes what both replies say of a message.
func (m *sending) write(e *encoder) {
	e.sum("MD5OfMessageBody", bodySum(m.out.Body))
	e.sum("MD5OfMessageAttributes", attributesSum(m.out.Attributes))
	e.sum("MD5OfMessageSystemAttributes", attributesSum(m.out.System))
	e.str("MessageId", m.sent.ID)
	e.some("SequenceNumber", m.sent.Sequence)
}

// tooLarge says how large a message may be.
func (c *call) tooLarge(name string, err error) error {
	var invalid *queue.InvalidError
	limit := maxBatchBytes
	switch {
	case errors.Is(err, queue.ErrTooLarge):
		if q, err := c.queues.Describe(c.r.Context(), name); err == nil {
			limit = q.Attributes.MaxMessageSize
		}
	case errors.As(err, &invalid) && invalid.Field == "Send":
	default:
		return err
	}
	return &apiError{invalidParameterValue, fmt.Sprintf("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", limit)}
}

func sendMessageBatch(c *call, d *decoder, e *encoder) error {
	var url string
	entries := make([]sending, 0, maxBatch)
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			url = d.str()
		case "Entries":
			d.list(func() {
				m := sending{delay: absent}
				d.object(func(key []byte) { m.field(d, key) })
				entries = append(entries, m)
			})
		default:
			d.skip()
		}
	})
	if err := d.done(); err != nil {
		return err
	}
	name, err := c.queueName(url)
	if err != nil {
		return err
	}
	if err := checkBatch(entries, func(m *sending) string { return m.id }, "SendMessageBatchRequestEntry"); err != nil {
		return err
	}
	total := 0
	for i := range entries {
		total += entries[i].out.Size()
	}
	if total > maxBatchBytes {
		return batchTooLong(maxBatchBytes, total)
	}
	if err := c.sendAll(name, entries); err != nil {
		return err
	}
	writeBatch(c, e, entries, func(m *sending) (string, error) { return m.id, m.failed }, func(m *sending) { m.write(e) })
	return nil
}

// sendAll sends the entries together. When one of them cannot be sent, each is
// sent by itself, since the others of a batch must not suffer.
func (c *call) sendAll(name string, entries []sending) error {
	out := make([]queue.Outgoing, 0, len(entries))
	to := make([]*sending, 0, len(entries))
	for i := range entries {
		m := &entries[i]
		if m.failed = m.ready(); m.failed == nil {
			out, to = append(out, m.out), append(to, m)
		}
	}
	if len(out) == 0 {
		_, err := c.queues.Describe(c.r.Context(), name)
		return err
	}
	sent, err := c.queues.Send(c.r.Context(), name, out)
	if err == nil {
		for i, m := range to {
			m.sent = sent[i]
		}
		return nil
	}
	if !aboutOne(err) {
		return err
	}
	for i, m := range to {
		sent, err := c.queues.Send(c.r.Context(), name, out[i:i+1])
		switch {
		case err == nil:
			m.sent = sent[0]
		case aboutOne(err):
			m.failed = c.tooLarge(name, err)
		default:
			m.failed = err // the service failed between two entries
		}
	}
	return nil
}

// aboutOne reports whether an error is about a message and not the queue.
func aboutOne(err error) bool {
	var invalid *queue.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Field != "Name"
	}
	return errors.Is(err, queue.ErrTooLarge)
}
