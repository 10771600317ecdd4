package snsserver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

var errBusy = errors.New("the disk is busy")

// bench has a server with one topic, whose queues are subscribed raw.
func bench(t *testing.T, m *memory, topic string, queues ...string) *Server {
	t.Helper()
	s := openServer(t, faultfs.New(), m)
	form := []string{"Action", "CreateTopic", "Name", topic}
	if isFIFO(topic) {
		form = append(form, "Attributes.entry.1.key", "FifoTopic", "Attributes.entry.1.value", "true")
	}
	if a := post(s, form...); a.status != 200 {
		t.Fatal(a.body)
	}
	for _, q := range queues {
		subscribeRaw(t, s, topic, q)
	}
	return s
}

func subscribeRaw(t *testing.T, s *Server, topic, queue string, more ...string) {
	t.Helper()
	a := post(s, append([]string{"Action", "Subscribe", "TopicArn", s.topicARN(topic), "Protocol", "sqs", "Endpoint", queueARN(queue),
		"Attributes.entry.1.key", "RawMessageDelivery", "Attributes.entry.1.value", "true"}, more...)...)
	if a.status != 200 {
		t.Fatal(a.body)
	}
}

// TestRetry: what fails for a moment is tried again; queues that have the
// message are not.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("a", "b")
		s := bench(t, m, "t", "a", "b")
		failures := len(retryAfter)
		m.fail = func(queue string, _ []Message) error {
			if queue == "b" && failures > 0 {
				failures--
				return errBusy
			}
			return nil
		}
		begin := time.Now()
		if a := post(s, "Action", "Publish", "TopicArn", s.topicARN("t"), "Message", "m"); a.status != 200 {
			t.Fatal(a.body)
		}
		if took := time.Since(begin); took != 300*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if a, b := len(m.take("a")), len(m.take("b")); a != 1 || b != 1 {
			t.Errorf("%d and %d messages", a, b)
		}
	})
}

// TestFailure: what goes on failing fails the publish, though one queue has it.
func TestFailure(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"busy": {errBusy, 500, "InternalError"},
		"full": {fmt.Errorf("append: %w", ErrFull), 503, "ServiceUnavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory("a", "b")
				s := bench(t, m, "t", "a", "b")
				m.fail = func(queue string, _ []Message) error {
					if queue == "b" {
						return tc.err
					}
					return nil
				}
				m.calls = 0
				a := post(s, "Action", "Publish", "TopicArn", s.topicARN("t"), "Message", "m")
				if a.status != tc.status || a.Code != tc.code || a.Type != "Receiver" || !strings.Contains(a.Text, "end the request again") {
					t.Errorf("%d %s", a.status, a.body)
				}
				if m.calls != 1+1+len(retryAfter) {
					t.Errorf("%d calls", m.calls)
				}
				if n := len(m.take("a")); n != 1 {
					t.Errorf("the queue that works has %d messages", n)
				}
			})
		})
	}
}

// TestUndeliverable: a queue that is gone holds up no other.
func TestUndeliverable(t *testing.T) {
	m := newMemory("a", "dead")
	s := bench(t, m, "t", "a", "gone")
	subscribeRaw(t, s, "t", "gone-too", "Attributes.entry.2.key", "RedrivePolicy", "Attributes.entry.2.value", `{"deadLetterTargetArn":"`+queueARN("dead")+`"}`)
	subscribeRaw(t, s, "t", "gone-all", "Attributes.entry.2.key", "RedrivePolicy", "Attributes.entry.2.value", `{"deadLetterTargetArn":"`+queueARN("gone")+`"}`)
	a := post(s, "Action", "Publish", "TopicArn", s.topicARN("t"), "Message", "m",
		"MessageAttributes.entry.1.Name", "k", "MessageAttributes.entry.1.Value.DataType", "String", "MessageAttributes.entry.1.Value.StringValue", "v")
	if a.status != 200 {
		t.Fatal(a.body)
	}
	if diff := cmp.Diff([]string{"m"}, m.bodies("a")); diff != "" {
		t.Error(diff)
	}
	want := []Message{{Body: "m", Attributes: map[string]Attribute{"k": {DataType: "String", String: "v"}, "ErrorCode": {DataType: "String", String: "Undeliverable"},
		"ErrorMessage": {DataType: "String", String: "the queue does not take the message: there is no queue gone-too"}}}}
	if diff := cmp.Diff(want, m.take("dead")); diff != "" {
		t.Error(diff)
	}
}

// TestUndeliverableInBatch: one message that a queue does not take fails none
// of the others.
func TestUndeliverableInBatch(t *testing.T) {
	m := newMemory("a", "dead")
	s := bench(t, m, "t")
	subscribeRaw(t, s, "t", "a", "Attributes.entry.2.key", "RedrivePolicy", "Attributes.entry.2.value", `{"deadLetterTargetArn":"`+queueARN("dead")+`"}`)
	m.fail = func(queue string, messages []Message) error {
		for _, message := range messages {
			if queue == "a" && message.Body == "large" {
				return ErrUndeliverable
			}
		}
		return nil
	}
	a := post(s, "Action", "PublishBatch", "TopicArn", s.topicARN("t"), "PublishBatchRequestEntries.member.1.Id", "1", "PublishBatchRequestEntries.member.1.Message", "small",
		"PublishBatchRequestEntries.member.2.Id", "2", "PublishBatchRequestEntries.member.2.Message", "large",
		"PublishBatchRequestEntries.member.3.Id", "3", "PublishBatchRequestEntries.member.3.Message", "small too")
	if a.status != 200 || strings.Contains(a.body, "SenderFault") {
		t.Fatal(a.body)
	}
	if diff := cmp.Diff([]string{"small", "small too"}, m.bodies("a")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"large"}, m.bodies("dead")); diff != "" {
		t.Error(diff)
	}
}

// TestBatchFailure: entries are reported each for itself.
func TestBatchFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("a", "b")
		s := bench(t, m, "t", "a")
		subscribeRaw(t, s, "t", "b", "Attributes.entry.2.key", "FilterPolicy", "Attributes.entry.2.value", `{"b":[{"exists":true}]}`)
		m.fail = func(queue string, _ []Message) error {
			if queue == "b" {
				return errBusy
			}
			return nil
		}
		a := post(s, "Action", "PublishBatch", "TopicArn", s.topicARN("t"), "PublishBatchRequestEntries.member.1.Id", "1", "PublishBatchRequestEntries.member.1.Message", "m",
			"PublishBatchRequestEntries.member.2.Id", "2", "PublishBatchRequestEntries.member.2.Message", "m",
			"PublishBatchRequestEntries.member.2.MessageAttributes.entry.1.Name", "b", "PublishBatchRequestEntries.member.2.MessageAttributes.entry.1.Value.DataType", "String",
			"PublishBatchRequestEntries.member.2.MessageAttributes.entry.1.Value.StringValue", "x")
		if a.status != 200 || !strings.Contains(a.body, "<Successful><member><Id>1</Id><MessageId>") ||
			!strings.Contains(a.body, "<Failed><member><Id>2</Id><Code>InternalError</Code>") || !strings.Contains(a.body, "<SenderFault>false</SenderFault>") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// TestNothingOvertakesAFailure: when the messages of a batch go to a queue one by
// one, those behind one that could not be stored are not stored either.
func TestNothingOvertakesAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory("a")
		s := bench(t, m, "t", "a")
		m.fail = func(_ string, messages []Message) error {
			switch {
			case messages[0].Body == "large":
				return ErrUndeliverable
			case messages[0].Body == "stuck":
				return errBusy
			}
			return nil
		}
		a := post(s, "Action", "PublishBatch", "TopicArn", s.topicARN("t"), "PublishBatchRequestEntries.member.1.Id", "1", "PublishBatchRequestEntries.member.1.Message", "large",
			"PublishBatchRequestEntries.member.2.Id", "2", "PublishBatchRequestEntries.member.2.Message", "stuck",
			"PublishBatchRequestEntries.member.3.Id", "3", "PublishBatchRequestEntries.member.3.Message", "behind")
		if a.status != 200 || strings.Count(a.body, "<Code>InternalError</Code>") != 2 || len(m.bodies("a")) != 0 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
