package sqsserver

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/dayfly-dev/dayfly/queue"
)

// Bodies and attributes of a batch together, bytes.
const maxBatchBytes = 1 << 20

const sendEntry = "SendMessageBatchRequestEntry"

// sending is a message to send and what became of it. A batch has one per entry.
type sending struct {
	id     entryID
	out    queue.Outgoing
	delay  int                        // seconds; absent: the queue's
	system map[string]queue.Attribute // as given, without what the request's headers add
	fifo   bool                       // the queue is
	place  int                        // in a batch, from 1; 0: alone
	// Empty ids and lists of values are refused, those that are not given are not.
	grouped, deduplicated, listed bool

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
		m.out.Attributes = m.attributes(d)
	case "MessageSystemAttributes":
		m.system = m.attributes(d)
	case "MessageDeduplicationId":
		m.deduplicated = !d.null()
		m.out.DedupID = ifGiven(d, m.deduplicated)
	case "MessageGroupId":
		m.grouped = !d.null()
		m.out.GroupID = ifGiven(d, m.grouped)
	case "Id":
		m.id.decode(d)
	default:
		d.skip()
	}
}

func (m *sending) attributes(d *decoder) map[string]queue.Attribute {
	if d.null() {
		return nil
	}
	all := map[string]queue.Attribute{}
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
			case "StringListValues", "BinaryListValues":
				d.list(func() {
					m.listed = true
					d.skip()
				})
			default:
				d.skip()
			}
		})
		all[name] = a
	})
	return all
}

// Header of a request that says which trace it is part of.
const traceHeader = "X-Amzn-Trace-Id"

// ready checks what package queue cannot see and turns the delay into the
// queue's terms. On a FIFO queue no delay is the queue's.
func (m *sending) ready(c *call) error {
	if err := m.check(); err != nil {
		return err
	}
	m.out.Delay = -1
	if m.delay != absent && !m.fifo {
		m.out.Delay = seconds(m.delay)
	}
	m.out.System = m.system
	if trace := c.r.Header[traceHeader]; len(trace) == 1 && trace[0] != "" && m.system["AWSTraceHeader"].String == "" {
		m.out.System = maps.Clone(m.system)
		if m.out.System == nil {
			m.out.System = map[string]queue.Attribute{}
		}
		m.out.System["AWSTraceHeader"] = queue.Attribute{DataType: "String", String: strings.ToValidUTF8(trace[0], "?")}
	}
	return nil
}

// sendArguments decodes the arguments of SendMessage.
func (c *call) sendArguments(d *decoder) (name string, m sending, err error) {
	var url string
	m.delay = absent
	d.object(func(key []byte) {
		if string(key) == "QueueUrl" {
			url = d.str()
		} else {
			m.field(d, key)
		}
	})
	if err = d.done(); err == nil {
		name, err = c.queueName(url)
	}
	m.fifo = isFIFO(name)
	return name, m, err
}

func sendMessage(c *call, d *decoder, e *encoder) error {
	name, m, err := c.sendArguments(d)
	if err != nil {
		return err
	}
	if err := m.ready(c); err != nil {
		return err
	}
	sent, err := c.queues.Send(c.r.Context(), name, []queue.Outgoing{m.out})
	if err != nil {
		return m.refusal(c, name, err)
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
	e.sum("MD5OfMessageSystemAttributes", attributesSum(m.system))
	e.str("MessageId", m.sent.ID)
	e.some("SequenceNumber", m.sent.Sequence)
}

// sendBatchArguments decodes the arguments of SendMessageBatch.
func (c *call) sendBatchArguments(d *decoder) (name string, entries []sending, err error) {
	var url string
	entries = make([]sending, 0, maxBatch)
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			url = d.str()
		case "Entries":
			d.list(func() {
				m := sending{delay: absent, place: len(entries) + 1}
				d.object(func(key []byte) { m.field(d, key) })
				entries = append(entries, m)
			})
		default:
			d.skip()
		}
	})
	if err = d.done(); err == nil {
		name, err = c.queueName(url)
	}
	return name, entries, err
}

func sendMessageBatch(c *call, d *decoder, e *encoder) error {
	name, entries, err := c.sendBatchArguments(d)
	if err != nil {
		return err
	}
	if err := checkBatch(entries, c.maxEntries(), func(m *sending) entryID { return m.id }, sendEntry); err != nil {
		return err
	}
	total := 0
	for i := range entries {
		entries[i].fifo = isFIFO(name)
		total += entries[i].out.Size()
	}
	if total > maxBatchBytes {
		return batchTooLong(maxBatchBytes, total)
	}
	if err := c.sendAll(name, entries); err != nil {
		return err
	}
	writeBatch(c, e, entries, func(m *sending) (string, error) { return m.id.text, m.failed }, func(m *sending) { m.write(e) })
	return nil
}

// sendAll sends the entries together. When one of them cannot be sent, each is
// sent by itself, since the others of a batch must not suffer; on a FIFO queue,
// where the others would overtake it, none is.
func (c *call) sendAll(name string, entries []sending) error {
	out := make([]queue.Outgoing, 0, len(entries))
	to := make([]*sending, 0, len(entries))
	for i := range entries {
		m := &entries[i]
		if m.failed = m.ready(c); m.failed == nil {
			out, to = append(out, m.out), append(to, m)
		} else if m.fifo {
			return m.failed
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
	if isFIFO(name) {
		return c.refusalOfOne(name, to, err)
	}
	for i, m := range to {
		sent, err := c.queues.Send(c.r.Context(), name, out[i:i+1])
		switch {
		case err == nil:
			m.sent = sent[0]
		case aboutOne(err):
			m.failed = m.refusal(c, name, err)
		default:
			m.failed = err // the service failed between two entries
		}
	}
	return nil
}

// refusalOfOne finds which of several messages an error is about.
func (c *call) refusalOfOne(name string, list []*sending, err error) error {
	m := list[0]
	var invalid *queue.InvalidError
	if errors.As(err, &invalid) {
		var i int
		if n, _ := fmt.Sscanf(invalid.Field, "[%d].", &i); n == 1 && i < len(list) {
			m = list[i]
		}
	}
	return m.refusal(c, name, err)
}

// aboutOne reports whether an error is about a message and not the queue.
func aboutOne(err error) bool {
	var invalid *queue.InvalidError
	if errors.As(err, &invalid) {
		return invalid.Field != "Name"
	}
	return errors.Is(err, queue.ErrTooLarge)
}
