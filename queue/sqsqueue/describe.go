package sqsqueue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// Describe asks for all attributes and the tags. The age of the oldest message
// is not part of the protocol: -1.
func (s *Service) Describe(ctx context.Context, name string) (driver.Description, error) {
	d := driver.Description{Name: name, OldestAge: -1}
	err := s.onQueue(ctx, "describe", name, func(ctx context.Context, url *string) error {
		out, err := s.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		if err != nil {
			return err
		}
		if err := describe(&d, out.Attributes); err != nil {
			return err
		}
		tags, err := s.client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: url})
		if err == nil {
			d.Tags = tags.Tags
		}
		return err
	})
	return d, err
}

// defaults of services that report what was never set.
var defaults = map[string]string{"SqsManagedSseEnabled": "true", "KmsDataKeyReusePeriodSeconds": "300"}

// throughputLimit that goes with a scope of deduplication: both together are the
// high throughput of FIFO queues. Another one is kept in Extra.
func throughputLimit(a *driver.Attributes) string {
	if a.GroupDedup {
		return "perMessageGroupId"
	}
	return "perQueue"
}

func describe(d *driver.Description, m map[string]string) (err error) {
	number := func(v string) int64 {
		whole, _, _ := strings.Cut(v, ".") // some services have fractions of seconds in their timestamps
		n, e := strconv.ParseInt(whole, 10, 64)
		if e != nil && err == nil {
			err = fmt.Errorf("the service described the queue with %q for a number", v)
		}
		return n
	}
	whole := func(v string) time.Duration { return time.Duration(number(v)) * time.Second }
	a := &d.Attributes
	for k, v := range m {
		switch k {
		case "VisibilityTimeout":
			a.Visibility = whole(v)
		case "DelaySeconds":
			a.Delay = whole(v)
		case "MessageRetentionPeriod":
			a.Retention = whole(v)
		case "ReceiveMessageWaitTimeSeconds":
			a.ReceiveWait = whole(v)
		case "MaximumMessageSize":
			a.MaxMessageSize = int(number(v))
		case "FifoQueue":
			a.FIFO = strings.EqualFold(v, "true")
		case "ContentBasedDeduplication":
			a.ContentDedup = strings.EqualFold(v, "true")
		case "DeduplicationScope":
			a.GroupDedup = strings.EqualFold(v, "messageGroup")
		case "CreatedTimestamp":
			d.Created = time.Unix(number(v), 0)
		case "LastModifiedTimestamp":
			d.Modified = time.Unix(number(v), 0)
		case "ApproximateNumberOfMessages":
			d.Visible = number(v)
		case "ApproximateNumberOfMessagesDelayed":
			d.Delayed = number(v)
		case "ApproximateNumberOfMessagesNotVisible":
			d.InFlight = number(v)
		case "RedrivePolicy":
			a.DeadLetter = deadLetter(v)
		case "QueueArn":
		default:
			if v != "" && defaults[k] != v {
				if a.Extra == nil {
					a.Extra = map[string]string{}
				}
				a.Extra[k] = v
			}
		}
	}
	if a.Extra["FifoThroughputLimit"] == throughputLimit(a) {
		delete(a.Extra, "FifoThroughputLimit")
	}
	return err
}

func deadLetter(policy string) *driver.DeadLetter {
	var p struct {
		Target string          `json:"deadLetterTargetArn"`
		Count  json.RawMessage `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil || p.Target == "" {
		return nil
	}
	n, err := strconv.Atoi(strings.Trim(string(p.Count), `"`))
	if err != nil {
		return nil
	}
	return &driver.DeadLetter{Queue: nameOf(p.Target), MaxReceives: n}
}

// nameOf is the queue's name in an ARN.
func nameOf(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
