package snsserver

import (
	"strings"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

func publish(c *call) (func(*awsquery.Writer), error) {
	arn, number := c.form.Get("TopicArn"), c.form.Get("PhoneNumber")
	target := c.form.Get("TargetArn")
	given := 0
	for _, v := range []string{arn, number, target} {
		if v != "" {
			given++
		}
	}
	switch {
	case given == 0:
		return nil, invalid("TopicArn or TargetArn Reason: no value for required parameter")
	case given > 1:
		return nil, invalid("TopicArn, TargetArn and PhoneNumber Reason: only one of them may be given")
	}
	n, err := readNotification(c.form)
	if err != nil {
		return nil, err
	}
	if number != "" {
		return writePublished(n), c.publishSMS(number, n)
	}
	parameter := "TopicArn"
	if target != "" {
		parameter, arn = "TargetArn", target
	}
	if strings.Contains(arn, ":endpoint/") {
		return nil, invalid("%s Reason: No endpoint found for the target arn specified", parameter)
	}
	t, err := c.topicOf(parameter, arn)
	if err != nil {
		return nil, err
	}
	if err := n.checkFor(t); err != nil {
		return nil, err
	}
	return writePublished(n), c.publishTo(t, []*notification{n})[0]
}

// writePublished writes the result; it is called after the notification has
// its sequence number.
func writePublished(n *notification) func(*awsquery.Writer) {
	return func(w *awsquery.Writer) {
		w.Text("MessageId", n.id)
		if n.sequence != "" {
			w.Text("SequenceNumber", n.sequence)
		}
	}
}

// checkFor checks what depends on the topic, and makes the id by which messages
// of a FIFO topic are told apart.
func (n *notification) checkFor(t *topic) error {
	if n.size() > t.maxMessageSize() {
		return invalid("Message too long")
	}
	if n.groupID != "" && !validToken(n.groupID) {
		return invalid("MessageGroupId Reason: it must be 1 to 128 letters, digits and punctuation marks")
	}
	if n.dedupID != "" && !validToken(n.dedupID) {
		return invalid("MessageDeduplicationId Reason: it must be 1 to 128 letters, digits and punctuation marks")
	}
	if !t.fifo() {
		if n.dedupID != "" {
			return invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
		}
		return nil
	}
	if n.groupID == "" {
		return invalid("The MessageGroupId parameter is required for FIFO topics")
	}
	if n.dedupID == "" {
		if t.attribute("ContentBasedDeduplication") != "true" {
			return invalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
		}
		n.dedupID = contentID(n.message)
	}
	return nil
}
