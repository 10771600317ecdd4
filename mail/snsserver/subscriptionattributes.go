package snsserver

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// maxFilters of one topic (SNS's quota).
const maxFilters = 200

// settle checks a subscription's attributes, brings them into the form they are
// kept in, and prepares the filter. The prefix is what SNS puts before the
// error of an attribute that is given with Subscribe.
func (c *call) settle(t *topic, s *subscription, prefix string) error {
	for key, value := range s.Attributes {
		if key == "RawMessageDelivery" {
			value = strings.ToLower(value)
			s.Attributes[key] = value
		}
		if reason := c.checkSubscriptionAttribute(t, s, key, value); reason != "" {
			return invalid("%s%s", prefix, reason)
		}
	}
	var err error
	if s.filter, err = newFilter(s.Attributes); err != nil {
		return invalid("%s%s", prefix, err)
	}
	return nil
}

// checkSubscriptionAttribute returns what is wrong with a value, or "".
func (c *call) checkSubscriptionAttribute(t *topic, s *subscription, key, value string) string {
	switch key {
	case "RawMessageDelivery":
		switch {
		case value != "true" && value != "false":
			return "RawMessageDelivery: Invalid value [" + value + "]. Must be true or false."
		case value == "true" && s.Protocol != protocolSQS:
			return "RawMessageDelivery: is not for the protocol " + s.Protocol
		}
	case "FilterPolicyScope":
		if value != scopeAttributes && value != scopeBody {
			return "FilterPolicyScope: Invalid value [" + value + "]. Please use either MessageBody or MessageAttributes"
		}
	case "FilterPolicy": // newFilter checks it
	case "RedrivePolicy":
		return c.checkRedrive(t, s, value)
	case "DeliveryPolicy":
		if value != "" && !json.Valid([]byte(value)) {
			return "DeliveryPolicy: failed to parse JSON."
		}
	case "ReplayPolicy":
		return "ReplayPolicy: messages are not archived here"
	default:
		return "AttributeName"
	}
	return ""
}

func (c *call) checkRedrive(t *topic, s *subscription, value string) string {
	if value == "" {
		return ""
	}
	arn, err := parseRedrive(value)
	if err != nil {
		return "RedrivePolicy: failed to parse JSON."
	}
	queue, ok := c.queueOf(arn)
	switch {
	case !ok:
		return "RedrivePolicy: deadLetterTargetArn is an invalid arn"
	case isFIFO(queue) != (t.fifo() && isFIFO(s.Endpoint)):
		return "RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic, and no other"
	}
	return ""
}

func parseRedrive(value string) (arn string, err error) {
	var p struct {
		Target string `json:"deadLetterTargetArn"`
	}
	err = json.Unmarshal([]byte(value), &p)
	return p.Target, err
}

// roomForFilter refuses the filter that is one too many.
func (t *topic) roomForFilter(s *subscription) error {
	n := 0
	for _, other := range t.Subscriptions {
		if other.filter != nil && other.ID != s.ID {
			n++
		}
	}
	if s.filter != nil && n >= maxFilters {
		return fault(http.StatusForbidden, "FilterPolicyLimitExceeded", "A topic has at most %d filter policies", maxFilters)
	}
	return nil
}

func (c *call) subscription() (*topic, *subscription, error) {
	name, id, err := c.splitSubscription(c.form.Get("SubscriptionArn"))
	if err != nil {
		return nil, nil, err
	}
	t := c.store.topic(name)
	if t == nil {
		return nil, nil, errNoSubscription
	}
	at := t.find(id)
	if at < 0 {
		return nil, nil, errNoSubscription
	}
	return t, t.Subscriptions[at], nil
}

func getSubscriptionAttributes(c *call) (func(*awsquery.Writer), error) {
	t, s, err := c.subscription()
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"SubscriptionArn": c.subscriptionARN(t.Name, s.ID), "TopicArn": c.topicARN(t.Name), "Owner": c.Account,
		"Protocol": s.Protocol, "Endpoint": s.Endpoint, "RawMessageDelivery": "false",
		"PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true",
		"SubscriptionPrincipal": "arn:aws:iam::" + c.Account + ":root",
	}
	for key, value := range s.Attributes {
		if value != "" {
			all[key] = value
		}
	}
	delete(all, "FilterPolicyScope")
	if s.filter != nil {
		all["FilterPolicyScope"] = s.filter.scope()
	} else {
		delete(all, "FilterPolicy")
	}
	return func(w *awsquery.Writer) { writeEntries(w, all) }, nil
}

func setSubscriptionAttributes(c *call) (func(*awsquery.Writer), error) {
	t, old, err := c.subscription()
	if err != nil {
		return nil, err
	}
	key, given := c.form.Lookup("AttributeName")
	if !given {
		return nil, missing("attributeName")
	}
	err = c.store.change(t.Name, func(t *topic) (*topic, error) {
		at := -1
		if t != nil {
			at = t.find(old.ID)
		}
		if at < 0 {
			return nil, errNoSubscription
		}
		s := *t.Subscriptions[at]
		s.Attributes = maps.Clone(s.Attributes)
		if s.Attributes == nil {
			s.Attributes = map[string]string{}
		}
		s.Attributes[key] = c.form.Get("AttributeValue")
		if err := c.settle(t, &s, ""); err != nil {
			return nil, err
		}
		if err := t.roomForFilter(&s); err != nil {
			return nil, err
		}
		after := t.with(slices.Clone(t.Subscriptions))
		after.Subscriptions[at] = &s
		return after, nil
	})
	return nil, err
}
