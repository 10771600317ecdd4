package sqsqueue

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// CreateQueue makes a queue. SQS compares only attributes that are given, and
// cannot be given that there is no dead-letter queue; so what exists is read
// back and compared.
func (s *Service) CreateQueue(ctx context.Context, name string, a driver.Attributes, tags map[string]string) error {
	ctx, cancel := s.scope(ctx)
	defer cancel()
	attributes, err := s.settable(ctx, a)
	if err != nil {
		return s.failed(ctx, "create", name, err)
	}
	if a.FIFO {
		attributes["FifoQueue"] = "true"
	}
	out, err := s.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes, Tags: tags})
	if err != nil {
		return s.failed(ctx, "create", name, err)
	}
	s.urls.Store(name, aws.ToString(out.QueueUrl))
	d, err := s.Describe(ctx, name)
	if err != nil {
		return err
	}
	if !fulfils(d.Attributes, a) {
		return s.failed(ctx, "create", name, &types.QueueNameExists{Message: aws.String("other attributes")})
	}
	return nil
}

// fulfils reports whether a queue is as wanted. A service may have extra
// attributes of its own.
func fulfils(got, want driver.Attributes) bool {
	for k, v := range want.Extra {
		if g, ok := got.Extra[k]; ok && g != v {
			return false
		}
	}
	if (got.DeadLetter == nil) != (want.DeadLetter == nil) || got.DeadLetter != nil && *got.DeadLetter != *want.DeadLetter {
		return false
	}
	got.Extra, want.Extra, got.DeadLetter, want.DeadLetter = nil, nil, nil, nil
	return got.Visibility == want.Visibility && got.Delay == want.Delay && got.Retention == want.Retention &&
		got.ReceiveWait == want.ReceiveWait && got.MaxMessageSize == want.MaxMessageSize &&
		got.FIFO == want.FIFO && got.ContentDedup == want.ContentDedup && got.GroupDedup == want.GroupDedup
}

// settable are the attributes as SQS takes them, but for FifoQueue.
func (s *Service) settable(ctx context.Context, a driver.Attributes) (map[string]string, error) {
	whole := func(d time.Duration) string { return strconv.Itoa(int(seconds(d))) }
	m := map[string]string{
		"VisibilityTimeout":             whole(a.Visibility),
		"DelaySeconds":                  whole(a.Delay),
		"MessageRetentionPeriod":        whole(a.Retention),
		"ReceiveMessageWaitTimeSeconds": whole(a.ReceiveWait),
		"MaximumMessageSize":            strconv.Itoa(a.MaxMessageSize),
	}
	if a.FIFO {
		m["ContentBasedDeduplication"] = strconv.FormatBool(a.ContentDedup)
	}
	if a.GroupDedup { // else what it is by itself: not all services take these two
		m["DeduplicationScope"], m["FifoThroughputLimit"] = "messageGroup", throughputLimit(&a)
	}
	if a.DeadLetter != nil {
		arn, err := s.arn(ctx, a.DeadLetter.Queue)
		if err != nil {
			return nil, err
		}
		policy, err := json.Marshal(map[string]any{"deadLetterTargetArn": arn, "maxReceiveCount": a.DeadLetter.MaxReceives})
		if err != nil {
			return nil, err
		}
		m["RedrivePolicy"] = string(policy)
	}
	maps.Copy(m, a.Extra)
	return m, nil
}

func (s *Service) arn(ctx context.Context, name string) (string, error) {
	url, err := s.url(ctx, name)
	if err != nil {
		return "", err
	}
	out, err := s.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", err
	}
	return out.Attributes["QueueArn"], nil
}

// DeleteQueue removes a queue.
func (s *Service) DeleteQueue(ctx context.Context, name string) error {
	return s.onQueue(ctx, "delete", name, func(ctx context.Context, url *string) error {
		_, err := s.client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: url})
		if err == nil {
			s.urls.Delete(name)
		}
		return err
	})
}

// Purge removes all messages.
func (s *Service) Purge(ctx context.Context, name string) error {
	return s.onQueue(ctx, "purge", name, func(ctx context.Context, url *string) error {
		_, err := s.client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url})
		return err
	})
}

// onQueue does something with the URL of a queue.
func (s *Service) onQueue(ctx context.Context, op, name string, do func(context.Context, *string) error) error {
	ctx, cancel := s.scope(ctx)
	defer cancel()
	url, err := s.url(ctx, name)
	if err == nil {
		err = do(ctx, url)
	}
	if err != nil {
		return s.failed(ctx, op, name, err)
	}
	return nil
}

// ListQueues lists by reading all names with the prefix: SQS pages by a token
// of its own and not by name.
func (s *Service) ListQueues(ctx context.Context, o driver.ListOptions) (driver.ListPage, error) {
	ctx, cancel := s.scope(ctx)
	defer cancel()
	in := &sqs.ListQueuesInput{MaxResults: aws.Int32(1000)}
	if o.Prefix != "" {
		in.QueueNamePrefix = &o.Prefix
	}
	var names []string
	for p := sqs.NewListQueuesPaginator(s.client, in); p.HasMorePages(); {
		out, err := p.NextPage(ctx)
		if err != nil {
			return driver.ListPage{}, s.failed(ctx, "list", o.Prefix, err)
		}
		for _, u := range out.QueueUrls {
			name := u[strings.LastIndexByte(u, '/')+1:]
			if name > o.After {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	page := driver.ListPage{Names: names}
	if len(names) > o.Max {
		page.Names = names[:o.Max]
		page.Next = page.Names[o.Max-1]
	}
	return page, nil
}

// SetAttributes replaces the attributes.
func (s *Service) SetAttributes(ctx context.Context, name string, a driver.Attributes) error {
	before, err := s.Describe(ctx, name)
	if err != nil {
		return err
	}
	return s.onQueue(ctx, "set attributes of", name, func(ctx context.Context, url *string) error {
		attributes, err := s.settable(ctx, a)
		if err != nil {
			return err
		}
		if before.Attributes.DeadLetter != nil && a.DeadLetter == nil {
			attributes["RedrivePolicy"] = ""
		}
		if before.Attributes.GroupDedup && !a.GroupDedup {
			attributes["DeduplicationScope"] = "queue"
		}
		if _, given := attributes["FifoThroughputLimit"]; !given && a.FIFO && (before.Attributes.GroupDedup || before.Attributes.Extra["FifoThroughputLimit"] != "") {
			attributes["FifoThroughputLimit"] = throughputLimit(&a)
		}
		for _, k := range []string{"Policy", "RedriveAllowPolicy", "KmsMasterKeyId"} { // those SQS lets go
			if _, ok := before.Attributes.Extra[k]; ok && a.Extra[k] == "" {
				attributes[k] = ""
			}
		}
		_, err = s.client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: attributes})
		return err
	})
}

// SetTags replaces the tags; the old ones are taken off first.
func (s *Service) SetTags(ctx context.Context, name string, tags map[string]string) error {
	return s.onQueue(ctx, "tag", name, func(ctx context.Context, url *string) error {
		before, err := s.client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: url})
		if err != nil {
			return err
		}
		var gone []string
		for k := range before.Tags {
			if _, ok := tags[k]; !ok {
				gone = append(gone, k)
			}
		}
		if len(gone) > 0 {
			if _, err := s.client.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: url, TagKeys: gone}); err != nil {
				return err
			}
		}
		if len(tags) > 0 {
			_, err = s.client.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: tags})
		}
		return err
	})
}
