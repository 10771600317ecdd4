package sqsserver

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

func setQueueAttributes(c *call, d *decoder, _ *encoder) error {
	var url string
	var given map[string]string
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			url = d.str()
		case "Attributes":
			given = d.stringMap()
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
	if len(given) == 0 {
		return missingParameter("Attribute.Name")
	}
	return c.change(name, func(a *queue.Attributes) error {
		s := setting{call: c, queue: name, a: a, given: given}
		return s.apply()
	})
}

// change reads, changes and writes attributes; the lock makes that one step.
func (c *call) change(name string, change func(*queue.Attributes) error) error {
	c.attributes.Lock()
	defer c.attributes.Unlock()
	ctx := c.r.Context()
	q, err := c.queues.Describe(ctx, name)
	if err != nil {
		return err
	}
	a := q.Attributes
	if err := change(&a); err != nil {
		return err
	}
	return c.queues.SetAttributes(ctx, name, a)
}

func getQueueAttributes(c *call, d *decoder, e *encoder) error {
	var url string
	var names []string
	d.object(func(key []byte) {
		switch string(key) {
		case "QueueUrl":
			url = d.str()
		case "AttributeNames":
			names = d.strings()
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
	for _, n := range names {
		if !slices.Contains(queueAttributes, n) && !isAll(n) || slices.Contains(fifoMarks, n) && !isFIFO(name) {
			return unknownAttribute(n)
		}
	}
	q, err := c.queues.Describe(c.r.Context(), name)
	if err != nil {
		return err
	}
	c.writeAttributes(e, &q, names)
	return nil
}

// writeAttributes writes those asked for that the queue has. There is no
// Attributes member without any.
func (c *call) writeAttributes(e *encoder, q *queue.Description, names []string) {
	all := slices.ContainsFunc(names, isAll)
	e.begin()
	begun := false
	for _, n := range queueAttributes {
		if !all && !slices.Contains(names, n) {
			continue
		}
		if value := c.attribute(q, n); value != "" {
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
	e.end()
}

// isAll reports whether a name asks for all attributes. kombu writes it in
// capitals.
func isAll(name string) bool { return strings.EqualFold(name, "All") }

// queueAttributes are all names there are, in the order they are answered.
var queueAttributes = []string{
	"QueueArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
	"CreatedTimestamp", "LastModifiedTimestamp", "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod",
	"DelaySeconds", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "FifoQueue", "ContentBasedDeduplication",
	"Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled",
	"DeduplicationScope", "FifoThroughputLimit",
}

// fifoMarks are attributes that a standard queue does not know.
var fifoMarks = []string{"FifoQueue", "ContentBasedDeduplication"}

// attribute is the value of one, "" when the queue has none.
func (c *call) attribute(q *queue.Description, name string) string {
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	switch name {
	case "QueueArn":
		return c.arn(q.Name)
	case "ApproximateNumberOfMessages":
		return count(q.Visible)
	case "ApproximateNumberOfMessagesNotVisible":
		return count(q.InFlight)
	case "ApproximateNumberOfMessagesDelayed":
		return count(q.Delayed)
	case "CreatedTimestamp":
		return count(q.Created.Unix())
	case "LastModifiedTimestamp":
		return count(q.Modified.Unix())
	}
	return c.settable(&q.Attributes, name)
}

// settable is the value of an attribute that can be set.
func (c *call) settable(a *queue.Attributes, name string) string {
	whole := func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
	switch name {
	case "VisibilityTimeout":
		return whole(a.Visibility)
	case "MaximumMessageSize":
		return strconv.Itoa(a.MaxMessageSize)
	case "MessageRetentionPeriod":
		return whole(a.Retention)
	case "DelaySeconds":
		return whole(a.Delay)
	case "ReceiveMessageWaitTimeSeconds":
		return whole(a.ReceiveWait)
	case "RedrivePolicy":
		if a.DeadLetter == nil {
			return a.Extra[name] // one that names the queue itself
		}
		return c.redriveText(a.DeadLetter)
	case "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled":
		return encryption(a, name)
	case "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit":
		if !a.FIFO {
			return ""
		}
		return fifoAttribute(a, name)
	}
	return a.Extra[name]
}

func fifoAttribute(a *queue.Attributes, name string) string {
	switch {
	case name == "FifoQueue":
		return "true"
	case name == "ContentBasedDeduplication":
		return strconv.FormatBool(a.ContentDedup)
	case name == "DeduplicationScope" && a.GroupDedup:
		return "messageGroup"
	case name == "DeduplicationScope":
		return "queue"
	case a.Extra[name] != "":
		return a.Extra[name]
	}
	return "perQueue"
}

// encryption is what a queue shows of how it would be encrypted on AWS: by a
// key of the user's, for which a data key is used for 300 s unless told
// otherwise, or else by SQS itself.
func encryption(a *queue.Attributes, name string) string {
	_, keyed := a.Extra["KmsMasterKeyId"]
	value, ok := a.Extra[name]
	switch {
	case name == "SqsManagedSseEnabled" && !ok:
		return strconv.FormatBool(!keyed)
	case name == "KmsDataKeyReusePeriodSeconds" && !keyed:
		return ""
	case name == "KmsDataKeyReusePeriodSeconds" && !ok:
		return "300"
	}
	return value
}

// setExtra changes one of the attributes that are stored as given; "" takes it
// away.
func setExtra(a *queue.Attributes, name, value string) {
	extra := maps.Clone(a.Extra) // Describe's map may be shared
	if extra == nil {
		extra = map[string]string{}
	}
	if delete(extra, name); value != "" {
		extra[name] = value
	}
	a.Extra = extra
}
