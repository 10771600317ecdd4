package snsserver

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// notification is one message that is published.
type notification struct {
	id         string // UUID
	sequence   string // of a FIFO topic's
	at         time.Time
	subject    string
	message    string
	byProtocol map[string]string // MessageStructure json
	attributes map[string]Attribute
	groupID    string
	dedupID    string
}

// readNotification reads and checks what Publish and an entry of PublishBatch
// have in common, in the order in which SNS checks it.
func readNotification(f *awsquery.Form) (*notification, error) {
	n := &notification{id: uuid.NewString(), at: time.Now().UTC(), groupID: f.Get("MessageGroupId"), dedupID: f.Get("MessageDeduplicationId")}
	var given bool
	if n.subject, given = f.Lookup("Subject"); given && !validSubject(n.subject) {
		return nil, invalid("Subject")
	}
	if n.message, given = f.Lookup("Message"); !given {
		return nil, missing("message")
	}
	if n.message == "" {
		return nil, invalid("Empty message")
	}
	if !deliverable(n.message) {
		return nil, invalid("Message Reason: it must be UTF-8 of the characters #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	}
	var err error
	if n.attributes, err = readAttributes(f); err != nil {
		return nil, err
	}
	switch structure := f.Get("MessageStructure"); structure {
	case "":
	case "json":
		return n, n.structure()
	default:
		return nil, invalid("MessageStructure")
	}
	return n, nil
}

// validSubject: less than 100 characters, no line breaks or control characters.
func validSubject(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= 100 && validText(s)
}

// structure takes a message apart that has a text for each protocol. Values
// that are no strings are ignored.
func (n *notification) structure() error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(n.message), &object); err != nil {
		return invalid("Message Structure - JSON message body failed to parse")
	}
	n.byProtocol = map[string]string{}
	for key, raw := range object {
		var text string
		if json.Unmarshal(raw, &text) == nil && raw[0] == '"' {
			n.byProtocol[key] = text
		}
	}
	if _, ok := n.byProtocol["default"]; !ok {
		return invalid("Message Structure - No default entry in JSON message body")
	}
	return nil
}

// text for a protocol.
func (n *notification) text(protocol string) string {
	if n.byProtocol == nil {
		return n.message
	}
	if text, ok := n.byProtocol[protocol]; ok {
		return text
	}
	return n.byProtocol["default"]
}

// size as SNS counts it against its limits: the text as it was given, and name,
// type and value of each attribute; the subject is free.
func (n *notification) size() int {
	size := len(n.message)
	for name, a := range n.attributes {
		size += len(name) + len(a.DataType) + len(a.String) + len(a.Binary)
	}
	return size
}

// forMobile are attributes that tell SNS how to reach a phone or a device. SQS
// takes no names of these.
func forMobile(name string) bool {
	return strings.HasPrefix(name, "AWS.SNS.") || strings.HasPrefix(name, "AWS.MM.")
}
