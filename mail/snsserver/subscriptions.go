package snsserver

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

func subscribe(c *call) (func(*awsquery.Writer), error) {
	t, err := c.topicOf("TopicArn", c.form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	s := &subscription{ID: uuid.NewString(), Protocol: c.form.Get("Protocol"), Endpoint: c.form.Get("Endpoint"), Attributes: entries(c.form, "Attributes")}
	if err := c.checkEndpoint(t, s); err != nil {
		return nil, err
	}
	if err := c.settle(t, s, "Attributes Reason: "); err != nil {
		return nil, err
	}
	id := s.ID
	err = c.store.change(t.Name, func(t *topic) (*topic, error) {
		if t == nil {
			return nil, errNoTopic
		}
		for _, old := range t.Subscriptions {
			if old.Protocol == s.Protocol && old.Endpoint == s.Endpoint {
				id = old.ID
				return t, sameSubscription(old, s)
			}
		}
		if err := t.roomFor(s); err != nil {
			return nil, err
		}
		after := t.with(append(slices.Clip(t.Subscriptions), s))
		return after, after.checkLarge()
	})
	if err != nil {
		return nil, err
	}
	return func(w *awsquery.Writer) { w.Text("SubscriptionArn", c.subscriptionARN(t.Name, id)) }, nil
}

// otherProtocols are those of SNS that this endpoint does not have.
var otherProtocols = []string{"http", "https", "email", "email-json", "application", "lambda", "firehose"}

// phone is what SNS takes for a number: E.164, with . - and / between digits.
var phone = regexp.MustCompile(`^\+?[0-9]([./-]?[0-9]){1,14}$`)

func (c *call) checkEndpoint(t *topic, s *subscription) error {
	if _, given := c.form.Lookup("Protocol"); !given {
		return missing("protocol")
	}
	if slices.Contains(otherProtocols, s.Protocol) {
		return invalid("Amazon SNS does not support this protocol string: %s: at this endpoint there are sqs and sms", s.Protocol)
	}
	switch s.Protocol {
	case protocolSQS:
		if part := strings.SplitN(s.Endpoint, ":", 6); len(part) < 6 || part[0] != "arn" || part[2] != "sqs" {
			return invalid("SQS endpoint ARN")
		}
		queue, ok := c.queueOf(s.Endpoint)
		if !ok {
			return invalid("SQS endpoint ARN Reason: a queue of this endpoint is arn:aws:sqs:%s:%s:NAME", c.Region, c.Account)
		}
		if isFIFO(queue) && !t.fifo() {
			return invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
		}
	case protocolSMS:
		if t.fifo() {
			return invalid("Invalid protocol type: sms: FIFO topics deliver to queues only")
		}
		if !phone.MatchString(s.Endpoint) {
			return invalid("Invalid SMS endpoint: %s", s.Endpoint)
		}
	default:
		return invalid("Amazon SNS does not support this protocol string: %s", s.Protocol)
	}
	return nil
}

// sameSubscription is nil when an endpoint may be subscribed again: what
// attributes are given are as they are.
func sameSubscription(old, again *subscription) error {
	for key, value := range again.Attributes {
		if old.Attributes[key] != value {
			return invalid("Attributes Reason: Subscription already exists with different attributes")
		}
	}
	return nil
}

func (t *topic) roomFor(s *subscription) error {
	if len(t.Subscriptions) >= maxSubscriptions {
		return fault(http.StatusForbidden, "SubscriptionLimitExceeded", "A topic has at most %d subscriptions here", maxSubscriptions)
	}
	return t.roomForFilter(s)
}

// confirmSubscription: a queue and a phone number of the account that
// subscribes them need no confirmation, so there is no token to confirm with.
func confirmSubscription(c *call) (func(*awsquery.Writer), error) {
	if _, err := c.topicOf("TopicArn", c.form.Get("TopicArn")); err != nil {
		return nil, err
	}
	return nil, invalid("Token")
}

// unsubscribe removes a subscription; one that is gone is no error.
func unsubscribe(c *call) (func(*awsquery.Writer), error) {
	arn, given := c.form.Lookup("SubscriptionArn")
	if !given {
		return nil, invalid("SubscriptionArn Reason: no value for required parameter")
	}
	name, id, err := c.splitSubscription(arn)
	if err != nil || c.store.topic(name) == nil {
		return nil, err
	}
	return nil, c.store.change(name, func(t *topic) (*topic, error) {
		if t == nil {
			return nil, nil
		}
		at := t.find(id)
		if at < 0 {
			return t, nil
		}
		after := t.with(slices.Concat(t.Subscriptions[:at], t.Subscriptions[at+1:]))
		after.Deleted++
		return after, nil
	})
}

// listed is a subscription as lists show it.
type listed struct {
	arn, topic string
	*subscription
}

func listSubscriptionsByTopic(c *call) (func(*awsquery.Writer), error) {
	t, err := c.topicOf("TopicArn", c.form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	return c.list([]string{t.Name})
}

func listSubscriptions(c *call) (func(*awsquery.Writer), error) { return c.list(c.store.names()) }

func (c *call) list(topics []string) (func(*awsquery.Writer), error) {
	var all []listed
	for _, name := range topics {
		if t := c.store.topic(name); t != nil {
			for _, s := range t.Subscriptions {
				all = append(all, listed{c.subscriptionARN(name, s.ID), name, s})
			}
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.arn, b.arn) })
	page, next, err := pageOf(c.form, all, func(l listed) string { return l.arn })
	if err != nil {
		return nil, err
	}
	return func(w *awsquery.Writer) {
		w.Begin("Subscriptions")
		for _, l := range page {
			w.Begin("member")
			w.Text("SubscriptionArn", l.arn)
			w.Text("Owner", c.Account)
			w.Text("Protocol", l.Protocol)
			w.Text("Endpoint", l.Endpoint)
			w.Text("TopicArn", c.topicARN(l.topic))
			w.End()
		}
		w.End()
		writeNext(w, next)
	}, nil
}
