package snsserver

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

// FuzzForm: whatever is sent, the answer is whole XML and no 500.
func FuzzForm(f *testing.F) {
	const topic, subscription = "arn%3Aaws%3Asns%3Aeu-central-2%3A000000000000%3At", "%3A11111111-1111-1111-1111-111111111111"
	for _, form := range []string{
		"Action=CreateTopic&Name=x&Tags.member.1.Key=k&Tags.member.1.Value=v&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=%3C%26%00",
		"Action=Subscribe&TopicArn=" + topic + "&Protocol=sqs&Endpoint=arn%3Aaws%3Asqs%3Aeu-central-2%3A000000000000%3Aq&Attributes.entry.1.key=FilterPolicy&Attributes.entry.1.value=%7B%22a%22%3A%5B%7B%22numeric%22%3A%5B%22%3C%22%2C1%5D%7D%5D%7D",
		"Action=Publish&TopicArn=" + topic + "&Message=m&Subject=s&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=Number&MessageAttributes.entry.1.Value.StringValue=1e-999999",
		"Action=Publish&TopicArn=" + topic + "&MessageStructure=json&Message=%7B%22default%22%3A%22d%22%2C%22sqs%22%3A%22q%22%7D",
		"Action=Publish&PhoneNumber=%2B41791234567&Message=%F0%9F%9A%80&MessageAttributes.entry.1.Name=AWS.SNS.SMS.SenderID&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=SHOP",
		"Action=PublishBatch&TopicArn=" + topic + "&PublishBatchRequestEntries.member.1.Id=1&PublishBatchRequestEntries.member.1.Message=m&PublishBatchRequestEntries.member.2.Id=2&PublishBatchRequestEntries.member.2.Message=%ff",
		"Action=SetSubscriptionAttributes&SubscriptionArn=" + topic + subscription + "&AttributeName=RedrivePolicy&AttributeValue=%7B%7D",
		"Action=SetTopicAttributes&TopicArn=" + topic + "&AttributeName=MaximumMessageSize&AttributeValue=1048576",
		"Action=ListSubscriptions&NextToken=YQ%3D%3D", "Action=ListTopics&NextToken=%ff", "Action=UntagResource&ResourceArn=" + topic + "&TagKeys.member.1=k",
		"Action=Unsubscribe&SubscriptionArn=" + topic + subscription, "Action=&Action=ListTopics", "&&=&.=.&....=1", "%",
	} {
		f.Add(form)
	}
	box := openInbox(f)
	f.Fuzz(func(t *testing.T, form string) {
		s, err := Open(Options{Files: faultfs.New(), Queues: newMemory("q"), Inbox: box, Region: testRegion, Account: testAccount})
		if err != nil {
			t.Fatal(err)
		}
		s.store.put(&fuzzed)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(form)))
		if w.Code >= 500 {
			t.Fatalf("%d to %q: %s", w.Code, form, w.Body)
		}
		for d := xml.NewDecoder(bytes.NewReader(w.Body.Bytes())); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in the answer to %q: %s", err, form, w.Body)
			}
		}
		if _, err := box.DeleteAll(); err != nil {
			t.Fatal(err)
		}
	})
}

// fuzzed is a topic of a queue, as FuzzForm finds it.
var fuzzed = topic{Name: "t", Subscriptions: []*subscription{{ID: "11111111-1111-1111-1111-111111111111", Protocol: protocolSQS, Endpoint: queueARN("q")}}}
