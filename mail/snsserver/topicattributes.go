package snsserver

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// Sizes of messages, in bytes of text and attributes (Publish).
const (
	defaultMessageSize = 256 << 10
	minMessageSize     = 1 << 10
	largestMessageSize = 1 << 20
	// A topic that takes more than the default has only so many subscriptions,
	// all of queues.
	maxLargeSubscriptions = 100
)

// checkTopicAttribute checks a value that is set; "" sets the default.
func checkTopicAttribute(topic, key, value string) *apiError {
	wrong := func(reason string) *apiError { return invalid("%s Reason: %s", key, reason) }
	oneOf := func(values ...string) *apiError {
		if value != "" && !slices.Contains(values, value) {
			return wrong("must be " + strings.Join(values, " or "))
		}
		return nil
	}
	switch key {
	case "ContentBasedDeduplication", "FifoThroughputScope":
		if !isFIFO(topic) {
			return wrong("is for FIFO topics only")
		}
		if key == "FifoThroughputScope" {
			return oneOf("Topic", "MessageGroup")
		}
		return oneOf("true", "false")
	case "DisplayName":
		if utf8.RuneCountInString(value) > 100 || !validText(value) {
			return wrong("must be at most 100 characters, and no control characters")
		}
	case "MaximumMessageSize":
		if n, err := strconv.Atoi(value); value != "" && (err != nil || n < minMessageSize || n > largestMessageSize) {
			return wrong("must be 1024 to 1048576")
		}
	case "SignatureVersion":
		return oneOf("1", "2")
	case "TracingConfig":
		return oneOf("PassThrough", "Active")
	case "Policy", "DeliveryPolicy":
		if value != "" && !json.Valid([]byte(value)) {
			return wrong("failed to parse JSON.")
		}
	case "KmsMasterKeyId":
	case "ArchivePolicy":
		return wrong("messages are not archived here")
	default:
		if !feedback(key) {
			return invalid("AttributeName")
		}
	}
	return nil
}

// feedback are the attributes that have deliveries logged in CloudWatch. They
// are kept, so that a template that sets them can be applied, and do nothing.
func feedback(key string) bool {
	for _, protocol := range []string{"HTTP", "Firehose", "Lambda", "Application", "SQS"} {
		if what, ok := strings.CutPrefix(key, protocol); ok {
			return what == "SuccessFeedbackRoleArn" || what == "SuccessFeedbackSampleRate" || what == "FailureFeedbackRoleArn"
		}
	}
	return false
}

// checkLarge holds a topic for large messages to what SNS allows it.
func (t *topic) checkLarge() error {
	if t.maxMessageSize() <= defaultMessageSize {
		return nil
	}
	if len(t.Subscriptions) > maxLargeSubscriptions ||
		slices.ContainsFunc(t.Subscriptions, func(s *subscription) bool { return s.Protocol != protocolSQS }) {
		return invalid("MaximumMessageSize Reason: a topic for messages of more than 262144 bytes has at most 100 subscriptions, all of queues")
	}
	return nil
}

func (t *topic) maxMessageSize() int {
	if n, err := strconv.Atoi(t.Attributes["MaximumMessageSize"]); err == nil {
		return n
	}
	return defaultMessageSize
}

// attribute is a topic's own or its default; "" for those that have none.
func (t *topic) attribute(key string) string {
	if v := t.Attributes[key]; v != "" {
		return v
	}
	switch {
	case key == "ContentBasedDeduplication" && t.fifo():
		return "false"
	case key == "FifoThroughputScope" && t.fifo():
		return "Topic"
	}
	return ""
}

func getTopicAttributes(c *call) (func(*awsquery.Writer), error) {
	t, err := c.topicOf("TopicArn", c.form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"TopicArn": c.topicARN(t.Name), "Owner": c.Account, "DisplayName": "",
		"SubscriptionsConfirmed": strconv.Itoa(len(t.Subscriptions)), "SubscriptionsPending": "0",
		"SubscriptionsDeleted":    strconv.Itoa(t.Deleted),
		"Policy":                  c.defaultPolicy(t.Name),
		"EffectiveDeliveryPolicy": effectiveDelivery,
	}
	if t.fifo() {
		all["FifoTopic"] = "true"
		for _, key := range []string{"ContentBasedDeduplication", "FifoThroughputScope"} {
			all[key] = t.attribute(key)
		}
	}
	for key, value := range t.Attributes {
		if value != "" {
			all[key] = value
		}
	}
	return func(w *awsquery.Writer) { writeEntries(w, all) }, nil
}

// effectiveDelivery is what SNS answers of a topic without a delivery policy,
// which is about protocols that are not here.
const effectiveDelivery = `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,` +
	`"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},` +
	`"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}`

// defaultPolicy of a topic: its owner may do everything. Policies are kept and
// answered; whoever has the keys of this endpoint may do everything.
func (s *Server) defaultPolicy(topic string) string {
	return `{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow",` +
		`"Principal":{"AWS":"*"},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission",` +
		`"SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":"` + s.topicARN(topic) +
		`","Condition":{"StringEquals":{"AWS:SourceOwner":"` + s.Account + `"}}}]}`
}
