package snsserver

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
)

// notSigned stands for a signature, which only AWS can make: base64, as clients
// decode it, of the words "not signed".
var notSigned = base64.StdEncoding.EncodeToString([]byte("not signed"))

// envelope is what a queue gets of a notification that is not delivered raw
// (developer guide, message formats), in that order of fields.
type envelope struct {
	Type              string
	MessageID         string `json:"MessageId"`
	SequenceNumber    string `json:",omitempty"`
	TopicARN          string `json:"TopicArn"`
	Subject           string `json:",omitempty"`
	Message           string
	Timestamp         string
	SignatureVersion  string
	Signature         string
	SigningCertURL    string
	UnsubscribeURL    string
	MessageAttributes map[string]envelopeAttribute `json:",omitempty"`
}

type envelopeAttribute struct{ Type, Value string }

// timestampForm is that of SNS: UTC to the millisecond.
const timestampForm = "2006-01-02T15:04:05.000Z"

// envelop makes the body for one subscription.
func (c *call) envelop(t *topic, s *subscription, n *notification) (string, error) {
	base := c.BaseURL(c.r)
	version := t.Attributes["SignatureVersion"]
	if version == "" {
		version = "1"
	}
	e := envelope{
		Type: "Notification", MessageID: n.id, SequenceNumber: n.sequence, TopicARN: c.topicARN(t.Name),
		Subject: n.subject, Message: n.text(s.Protocol), Timestamp: n.at.Format(timestampForm),
		SignatureVersion: version, Signature: notSigned, SigningCertURL: base + "/SimpleNotificationService.pem",
		UnsubscribeURL: base + "/?Action=Unsubscribe&SubscriptionArn=" + url.QueryEscape(c.subscriptionARN(t.Name, s.ID)),
	}
	for name, a := range n.attributes {
		if e.MessageAttributes == nil {
			e.MessageAttributes = map[string]envelopeAttribute{}
		}
		value := a.String
		if a.Binary != nil {
			value = base64.StdEncoding.EncodeToString(a.Binary)
		}
		e.MessageAttributes[name] = envelopeAttribute{Type: a.DataType, Value: value}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it is no HTML, and every < would be six bytes
	enc.SetIndent("", "  ")
	if err := enc.Encode(e); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// messageFor is what the queue of a subscription gets, and false when raw
// delivery is impossible: SQS takes 10 attributes.
func (c *call) messageFor(t *topic, s *subscription, n *notification) (m Message, ok bool, err error) {
	switch queueFIFO := isFIFO(s.Endpoint); {
	case queueFIFO: // so is the topic
		m.GroupID, m.DedupID = n.groupID, n.dedupID
	case !t.fifo():
		m.GroupID = n.groupID // fair queues
	}
	if !s.raw() {
		m.Body, err = c.envelop(t, s, n)
		return m, true, err
	}
	m.Body = n.text(s.Protocol)
	for name, a := range n.attributes {
		if forMobile(name) {
			continue
		}
		if m.Attributes == nil {
			m.Attributes = make(map[string]Attribute, len(n.attributes))
		}
		m.Attributes[name] = a
	}
	return m, len(m.Attributes) <= maxRawAttributes, nil
}

// maxRawAttributes of a message to a queue (SQS, SendMessage).
const maxRawAttributes = 10
