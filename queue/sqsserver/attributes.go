package sqsserver

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// apply changes attributes as a request gives them, name by name in a fixed
// order so that the same request has the same answer.
func (c *call) apply(ctx context.Context, name string, a *queue.Attributes, given map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if err := c.applyOne(ctx, a, key, given[key]); err != nil {
			return err
		}
	}
	if a.FIFO != strings.HasSuffix(name, ".fifo") {
		if a.FIFO {
			return &apiError{invalidParameterValue, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."}
		}
		return &apiError{invalidParameterValue, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"}
	}
	return nil
}

func (c *call) applyOne(ctx context.Context, a *queue.Attributes, key, value string) (err error) {
	switch key {
	case "VisibilityTimeout":
		a.Visibility, err = duration(key, value, 0, 43200)
	case "DelaySeconds":
		a.Delay, err = duration(key, value, 0, 900)
	case "MessageRetentionPeriod":
		a.Retention, err = duration(key, value, 60, 1209600)
	case "ReceiveMessageWaitTimeSeconds":
		a.ReceiveWait, err = duration(key, value, 0, 20)
	case "MaximumMessageSize":
		a.MaxMessageSize, err = number(key, value, 1024, 1048576)
	case "RedrivePolicy":
		a.DeadLetter, err = c.redrivePolicy(ctx, value)
	case "FifoQueue":
		if a.FIFO, err = boolean(key, value); err == nil && !a.FIFO {
			err = wrongAttribute(key) // SQS takes only true
		}
	case "ContentBasedDeduplication":
		a.ContentDedup, err = boolean(key, value)
	default:
		check, ok := extras[key]
		if !ok {
			return &apiError{invalidAttributeName, "Unknown Attribute " + key + "."}
		}
		if value != "" && !check(value) {
			return wrongAttribute(key)
		}
		extra := maps.Clone(a.Extra) // Describe's map may be shared
		if extra == nil {
			extra = map[string]string{}
		}
		if delete(extra, key); value != "" {
			extra[key] = value
		}
		a.Extra = extra
	}
	return err
}

// extras are stored and returned as given; the service does not act on them.
var extras = map[string]func(value string) bool{
	"Policy":                       func(v string) bool { return json.Valid([]byte(v)) },
	"RedriveAllowPolicy":           func(v string) bool { return json.Valid([]byte(v)) },
	"KmsMasterKeyId":               func(string) bool { return true },
	"KmsDataKeyReusePeriodSeconds": func(v string) bool { n, err := strconv.Atoi(v); return err == nil && n >= 60 && n <= 86400 },
	"SqsManagedSseEnabled":         func(v string) bool { return v == "true" || v == "false" },
	"DeduplicationScope":           func(v string) bool { return v == "messageGroup" || v == "queue" },
	"FifoThroughputLimit":          func(v string) bool { return v == "perQueue" || v == "perMessageGroupId" },
}

func wrongAttribute(name string) *apiError {
	return &apiError{invalidAttributeValue, "Invalid value for the parameter " + name + "."}
}

func number(name, value string, min, max int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < min || n > max {
		return 0, wrongAttribute(name)
	}
	return n, nil
}

func duration(name, value string, min, max int) (time.Duration, error) {
	n, err := number(name, value, min, max)
	return seconds(n), err
}

func boolean(name, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, wrongAttribute(name)
}

// redrivePolicy reads {"deadLetterTargetArn":…,"maxReceiveCount":5}; the count
// may be in quotes. An empty policy takes it away.
func (c *call) redrivePolicy(ctx context.Context, value string) (*queue.DeadLetter, error) {
	if value == "" {
		return nil, nil
	}
	wrong := func(reason string) error { return wrongValue(value, "RedrivePolicy", reason) }
	var p struct {
		Target *string         `json:"deadLetterTargetArn"`
		Count  json.RawMessage `json:"maxReceiveCount"`
	}
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return nil, wrong("Redrive policy is not a valid JSON map.")
	}
	if p.Target == nil {
		return nil, wrong("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
	}
	if p.Count == nil {
		return nil, wrong("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
	}
	count, err := strconv.Atoi(strings.Trim(string(p.Count), `"`))
	if err != nil || count < 1 || count > 1000 {
		return nil, wrong("Invalid value for maxReceiveCount: " + string(p.Count) + ", valid values are from 1 to 1000 both inclusive.")
	}
	name, ok := c.nameOfARN(*p.Target)
	if !ok {
		return nil, wrong("Dead-letter target owner should be same as the source.")
	}
	var invalid *queue.InvalidError
	switch _, err := c.queues.Describe(ctx, name); {
	case errors.Is(err, queue.ErrQueueNotFound), errors.As(err, &invalid):
		return nil, wrong("Dead letter target does not exist.")
	case err != nil:
		return nil, err
	}
	return &queue.DeadLetter{Queue: name, MaxReceives: count}, nil
}

func setQueueAttributes(c *call, d *decoder, e *encoder) error {
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
	if given == nil {
		return missingParameter("Attributes")
	}
	return emptyReply(e, c.change(name, given))
}

// change reads, changes and writes; the lock makes that one step.
func (c *call) change(name string, given map[string]string) error {
	if _, ok := given["FifoQueue"]; ok {
		return &apiError{invalidAttributeName, "Unknown Attribute FifoQueue."} // fixed at creation
	}
	c.attributes.Lock()
	defer c.attributes.Unlock()
	ctx := c.r.Context()
	q, err := c.queues.Describe(ctx, name)
	if err != nil {
		return err
	}
	a := q.Attributes
	if err := c.apply(ctx, name, &a, given); err != nil {
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
		if !slices.Contains(queueAttributes, n) && !strings.EqualFold(n, "All") {
			return &apiError{invalidAttributeName, "Unknown Attribute " + n + "."}
		}
	}
	q, err := c.queues.Describe(c.r.Context(), name)
	if err != nil {
		return err
	}
	all := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, "All") })
	e.begin()
	if len(names) > 0 {
		e.beginObject("Attributes")
		for _, n := range queueAttributes {
			if all || slices.Contains(names, n) {
				e.some(n, c.attribute(&q, n))
			}
		}
		e.end()
	}
	e.end()
	return nil
}

// queueAttributes are all names there are, in the order they are answered.
var queueAttributes = []string{
	"QueueArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
	"CreatedTimestamp", "LastModifiedTimestamp", "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod",
	"DelaySeconds", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "FifoQueue", "ContentBasedDeduplication",
	"Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled",
	"DeduplicationScope", "FifoThroughputLimit",
}

// attribute is the value of one, "" when the queue has none.
func (c *call) attribute(q *queue.Description, name string) string {
	whole := func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	a := &q.Attributes
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
			return ""
		}
		return `{"deadLetterTargetArn":"` + c.arn(a.DeadLetter.Queue) + `","maxReceiveCount":` + strconv.Itoa(a.DeadLetter.MaxReceives) + `}`
	case "FifoQueue", "ContentBasedDeduplication":
		if !a.FIFO {
			return ""
		}
		return strconv.FormatBool(name == "FifoQueue" || a.ContentDedup)
	}
	return a.Extra[name]
}
