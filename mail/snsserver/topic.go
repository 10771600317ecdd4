package snsserver

import (
	"slices"
	"strings"
	"time"
)

// Bounds of what is kept. SNS allows more of each; with these a change, which
// writes its topic's whole file, and a start, which reads all, stay fast.
const (
	maxTopics        = 10_000
	maxFIFOTopics    = 1_000 // SNS's own
	maxSubscriptions = 10_000
	maxTags          = 50 // SNS's own
)

// topic is a topic with its subscriptions. It is never changed: a change makes
// another, so that Publish reads it without a lock.
type topic struct {
	Name          string            `json:"name"`
	Created       time.Time         `json:"created"`
	Attributes    map[string]string `json:"attributes,omitempty"` // as given; those not given have their defaults
	Tags          map[string]string `json:"tags,omitempty"`
	Deleted       int               `json:"deleted"`                 // subscriptions there were
	Subscriptions []*subscription   `json:"subscriptions,omitempty"` // in the order of subscribing
}

// subscription of a queue or a phone number, never changed.
type subscription struct {
	ID         string            `json:"id"` // UUID
	Protocol   string            `json:"protocol"`
	Endpoint   string            `json:"endpoint"`
	Attributes map[string]string `json:"attributes,omitempty"` // as given

	filter *filter // of Attributes; nil lets everything through
}

// The protocols there are here.
const (
	protocolSQS = "sqs"
	protocolSMS = "sms"
)

func (t *topic) fifo() bool { return isFIFO(t.Name) }

// find returns the index of a subscription, or -1.
func (t *topic) find(id string) int {
	return slices.IndexFunc(t.Subscriptions, func(s *subscription) bool { return s.ID == id })
}

// with returns a copy with other subscriptions.
func (t *topic) with(subscriptions []*subscription) *topic {
	c := *t
	c.Subscriptions = subscriptions
	return &c
}

func (s *subscription) raw() bool { return s.Attributes["RawMessageDelivery"] == "true" }

// queue is the name of the queue of an sqs subscription.
func (s *subscription) queue() string { return lastPart(s.Endpoint) }

// deadLetter is the queue for what cannot be delivered, or "".
func (s *subscription) deadLetter() string {
	p, err := parseRedrive(s.Attributes["RedrivePolicy"])
	if err != nil {
		return ""
	}
	return lastPart(p)
}

func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
