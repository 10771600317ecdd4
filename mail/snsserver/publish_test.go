package snsserver

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &s}
}

// TestEnvelope: a queue gets the notification as JSON, with SNS's fields in its
// order.
func TestEnvelope(t *testing.T) {
	r := start(t, "q")
	topic := r.topic(t, "news")
	sub := r.subscribe(t, topic, "q")
	message := "line 1\nline 2 <b> & \"quotes\" ü 🎈"
	out, err := r.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &message, Subject: aws.String("Grüße"),
		MessageGroupId: aws.String("tenant"), MessageAttributes: map[string]types.MessageAttributeValue{
			"kind": text("a"), "bytes": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
			"AWS.SNS.SMS.SenderID": text("SHOP")}})
	if err != nil {
		t.Fatal(err)
	}
	got := r.take("q")
	if len(got) != 1 || got[0].Attributes != nil || got[0].GroupID != "tenant" || got[0].DedupID != "" || out.SequenceNumber != nil {
		t.Fatalf("%+v", got)
	}
	body := got[0].Body
	if strings.Contains(body, `\u003c`) {
		t.Errorf("escaped as for HTML: %s", body)
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse("2006-01-02T15:04:05.000Z", e["Timestamp"].(string))
	if err != nil || time.Since(at) > time.Minute {
		t.Errorf("timestamp %v, %v", e["Timestamp"], err)
	}
	delete(e, "Timestamp")
	want := map[string]any{"Type": "Notification", "MessageId": *out.MessageId, "TopicArn": topic, "Subject": "Grüße", "Message": message,
		"SignatureVersion": "1", "Signature": "bm90IHNpZ25lZA==", "SigningCertURL": r.url + "/SimpleNotificationService.pem",
		"UnsubscribeURL": r.url + "/?Action=Unsubscribe&SubscriptionArn=" + url.QueryEscape(sub),
		"MessageAttributes": map[string]any{"kind": map[string]any{"Type": "String", "Value": "a"},
			"bytes":                map[string]any{"Type": "Binary", "Value": "AP8="},
			"AWS.SNS.SMS.SenderID": map[string]any{"Type": "String", "Value": "SHOP"}}}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
	var order []string
	for _, m := range regexp.MustCompile(`(?m)^  "(\w+)" ?:`).FindAllStringSubmatch(body, -1) {
		order = append(order, m[1])
	}
	if diff := cmp.Diff([]string{"Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL", "MessageAttributes"}, order); diff != "" {
		t.Error(diff)
	}
}

// TestRaw: a queue gets the message itself and its attributes, save those that
// are for phones.
func TestRaw(t *testing.T) {
	r := start(t, "q", "other")
	topic := r.topic(t, "news")
	r.subscribe(t, topic, "q", "RawMessageDelivery", "true")
	r.subscribe(t, topic, "other")
	attributes := map[string]types.MessageAttributeValue{"AWS.SNS.SMS.SMSType": text("Transactional"),
		"list": {DataType: aws.String("String.Array"), StringValue: aws.String(`["a"]`)}, "bytes": {DataType: aws.String("Binary.png"), BinaryValue: []byte("x")}}
	for i := range 8 {
		attributes[fmt.Sprint("n", i)] = types.MessageAttributeValue{DataType: aws.String("Number"), StringValue: aws.String("1")}
	}
	publish := func() {
		t.Helper()
		// By TargetArn, as SNS takes a topic there too.
		if _, err := r.sns.Publish(t.Context(), &sns.PublishInput{TargetArn: &topic, Message: aws.String("m"), MessageAttributes: attributes}); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	got := r.take("q")
	if len(got) != 1 || got[0].Body != "m" || len(got[0].Attributes) != 10 {
		t.Fatalf("%+v", got)
	}
	for name, want := range map[string]Attribute{"list": {DataType: "String.Array", String: `["a"]`}, "bytes": {DataType: "Binary.png", Binary: []byte("x")}, "n0": {DataType: "Number", String: "1"}} {
		if diff := cmp.Diff(want, got[0].Attributes[name]); diff != "" {
			t.Error(diff)
		}
	}
	attributes["n8"] = text("one too many")
	publish()
	if got := r.take("q"); len(got) != 0 {
		t.Errorf("with eleven attributes: %+v", got)
	}
	if got := r.take("other"); len(got) != 2 {
		t.Errorf("the other queue has %d messages", len(got))
	}
}

func TestMessageStructure(t *testing.T) {
	r := start(t, "q")
	topic := r.topic(t, "news")
	r.subscribe(t, topic, "q", "RawMessageDelivery", "true")
	for message, want := range map[string]string{
		`{"default":"d"}`:                      "d",
		`{"default":"d","sqs":"s","sms":"t"}`:  "s",
		`{"default":"d","sqs":{"not":"text"}}`: "d",
		`{"default":"d","sqs":null}`:           "d",
	} {
		if _, err := r.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &message, MessageStructure: aws.String("json")}); err != nil {
			t.Fatal(err)
		}
		if got := r.bodies("q"); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is delivered as %q", message, got)
		}
	}
}

func TestPublishRefused(t *testing.T) {
	m := newMemory("q", "q.fifo")
	s := openServer(t, faultfs.New(), m)
	post(s, "Action", "CreateTopic", "Name", "t")
	post(s, "Action", "CreateTopic", "Name", "small", "Attributes.entry.1.key", "MaximumMessageSize", "Attributes.entry.1.value", "1024")
	post(s, "Action", "CreateTopic", "Name", "t.fifo", "Attributes.entry.1.key", "FifoTopic", "Attributes.entry.1.value", "true")
	for topic, queue := range map[string]string{"t": "q", "small": "q", "t.fifo": "q.fifo"} {
		if a := post(s, "Action", "Subscribe", "TopicArn", s.topicARN(topic), "Protocol", "sqs", "Endpoint", queueARN(queue)); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	attribute := func(name, kind, field, value string) []string {
		return []string{"Message", "m", "MessageAttributes.entry.1.Name", name, "MessageAttributes.entry.1.Value.DataType", kind, "MessageAttributes.entry.1.Value." + field, value}
	}
	for _, tc := range []struct {
		topic string
		form  []string
		want  string // code and text
	}{
		{"t", nil, "ValidationError: 1 validation error detected: Value null at 'message' failed to satisfy constraint: Member must not be null"},
		{"t", []string{"Message", ""}, "InvalidParameter: Invalid parameter: Empty message"},
		{"t", []string{"Message", "m", "Subject", ""}, "InvalidParameter: Invalid parameter: Subject"},
		{"t", []string{"Message", "m", "Subject", "a\nb"}, "InvalidParameter: Invalid parameter: Subject"},
		{"t", []string{"Message", "m", "Subject", strings.Repeat("ü", 101)}, "InvalidParameter: Invalid parameter: Subject"},
		{"t", []string{"Message", "a\x01"}, "InvalidParameter: Invalid parameter: Message Reason: it must be UTF-8"},
		{"t", []string{"Message", "\xff"}, "InvalidParameter: Invalid parameter: Message Reason: it must be UTF-8"},
		{"t", []string{"Message", "m", "MessageStructure", "xml"}, "InvalidParameter: Invalid parameter: MessageStructure"},
		{"t", []string{"Message", "m", "MessageStructure", "json"}, "InvalidParameter: Invalid parameter: Message Structure - JSON message body failed to parse"},
		{"t", []string{"Message", `{"sqs":"m"}`, "MessageStructure", "json"}, "InvalidParameter: Invalid parameter: Message Structure - No default entry in JSON message body"},
		{"t", []string{"Message", "m", "PhoneNumber", "+41791234567"}, "InvalidParameter: Invalid parameter: TopicArn, TargetArn and PhoneNumber Reason: only one"},
		{"t", []string{"Message", strings.Repeat("m", 262145)}, "InvalidParameter: Invalid parameter: Message too long"},
		{"small", append(attribute("a", "String", "StringValue", strings.Repeat("v", 1020)), "Subject", "s"), "InvalidParameter: Invalid parameter: Message too long"},
		{"t", []string{"Message", "m", "MessageDeduplicationId", "d"}, "InvalidParameter: Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type"},
		{"t", []string{"Message", "m", "MessageGroupId", "a b"}, "InvalidParameter: Invalid parameter: MessageGroupId Reason"},
		{"t.fifo", []string{"Message", "m"}, "InvalidParameter: Invalid parameter: The MessageGroupId parameter is required for FIFO topics"},
		{"t.fifo", []string{"Message", "m", "MessageGroupId", "g"}, "InvalidParameter: Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
		{"t.fifo", []string{"Message", "m", "MessageGroupId", "g", "MessageDeduplicationId", strings.Repeat("d", 129)}, "InvalidParameter: Invalid parameter: MessageDeduplicationId Reason"},
		{"t", attribute("", "String", "StringValue", "v"), "ParameterValueInvalid: The message attribute name must not be empty."},
		{"t", attribute(".a", "String", "StringValue", "v"), "ParameterValueInvalid: Invalid message attribute name starting with character '.' was found."},
		{"t", attribute("a.", "String", "StringValue", "v"), "ParameterValueInvalid: Invalid message attribute name ending with character '.' was found."},
		{"t", attribute("a..b", "String", "StringValue", "v"), "ParameterValueInvalid: Message attribute name can not have successive '.' character."},
		{"t", attribute("a b", "String", "StringValue", "v"), "ParameterValueInvalid: Invalid non-alphanumeric character '#x20' was found in the message attribute name."},
		{"t", attribute(strings.Repeat("a", 257), "String", "StringValue", "v"), "ParameterValueInvalid: Length of message attribute name must be less than 256 bytes."},
		{"t", attribute("AWS.other", "String", "StringValue", "v"), "ParameterValueInvalid: The message attribute name 'AWS.other' begins with AWS."},
		{"t", attribute("a", "Strange", "StringValue", "v"), "ParameterValueInvalid: The message attribute 'a' has an invalid message attribute type"},
		{"t", attribute("a", "String.", "StringValue", "v"), "ParameterValueInvalid: The message attribute 'a' has an invalid message attribute type"},
		{"t", attribute("a", "String", "BinaryValue", "dg=="), "ParameterValueInvalid: The message attribute 'a' with type 'String' must use field 'String'."},
		{"t", attribute("a", "Binary", "StringValue", "v"), "ParameterValueInvalid: The message attribute 'a' with type 'Binary' must use field 'Binary'."},
		{"t", attribute("a", "String", "StringValue", ""), "ParameterValueInvalid: The message attribute 'a' must contain non-empty message attribute value"},
		{"t", attribute("a", "String", "StringValue", "\x02"), "ParameterValueInvalid: The message attribute 'a' has a character outside"},
		{"t", attribute("a", "Binary", "BinaryValue", "?"), "MalformedInput: The message attribute 'a' is not base64"},
		{"none", []string{"Message", "m"}, "NotFound: Topic does not exist"},
	} {
		a := post(s, append([]string{"Action", "Publish", "TopicArn", s.topicARN(tc.topic)}, tc.form...)...)
		if got := a.Code + ": " + a.Text; a.status >= 500 || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s %.100v:\n got %s\nwant %s", tc.topic, tc.form, got, tc.want)
		}
	}
	endpoint := s.topicARN("endpoint/GCM/app/1")
	if a := post(s, "Action", "Publish", "TargetArn", endpoint, "Message", "m"); !strings.HasPrefix(a.Text, "Invalid parameter: TargetArn Reason: No endpoint found") {
		t.Error(a.body)
	}
	if n := len(m.take("q")) + len(m.take("q.fifo")); n > 0 {
		t.Errorf("%d messages were delivered", n)
	}
}

// TestSizes: what is just small enough is taken, also what the topic is set to.
func TestSizes(t *testing.T) {
	r := start(t, "q")
	normal := r.topic(t, "normal")
	large := r.topic(t, "large", "MaximumMessageSize", "1048576")
	for topic, size := range map[string]int{normal: 262144, large: 1048576} {
		r.subscribe(t, topic, "q", "RawMessageDelivery", "true")
		message := strings.Repeat("ü", size/2)
		if _, err := r.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &message}); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		message += "m"
		if _, err := r.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &message}); code(err) != "InvalidParameter" {
			t.Errorf("%d bytes: %v", size+1, err)
		}
	}
	if got := r.take("q"); len(got) != 2 {
		t.Errorf("%d messages", len(got))
	}
	for i := range maxLargeSubscriptions + 1 {
		r.subscribe(t, normal, fmt.Sprint("q", i))
	}
	_, err := r.sns.SetTopicAttributes(t.Context(), &sns.SetTopicAttributesInput{TopicArn: &normal, AttributeName: aws.String("MaximumMessageSize"), AttributeValue: aws.String("262145")})
	if code(err) != "InvalidParameter" {
		t.Errorf("large with more than 100 subscriptions: %v", err)
	}
}

func entry(id, message string) types.PublishBatchRequestEntry {
	return types.PublishBatchRequestEntry{Id: &id, Message: &message}
}

func TestBatch(t *testing.T) {
	r := start(t, "q", "even")
	topic := r.topic(t, "news")
	r.subscribe(t, topic, "q", "RawMessageDelivery", "true")
	r.subscribe(t, topic, "even", "RawMessageDelivery", "true", "FilterPolicy", `{"even":["yes"]}`)
	var entries []types.PublishBatchRequestEntry
	for i := range 10 {
		e := entry(fmt.Sprint("id-", i), fmt.Sprint(i))
		if i%2 == 0 {
			e.MessageAttributes = map[string]types.MessageAttributeValue{"even": text("yes")}
		}
		entries = append(entries, e)
	}
	out, err := r.sns.PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: entries})
	if err != nil || len(out.Successful) != 10 || len(out.Failed) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	ids := map[string]bool{}
	for i, s := range out.Successful {
		if *s.Id != fmt.Sprint("id-", i) || s.SequenceNumber != nil {
			t.Errorf("%+v", s)
		}
		ids[*s.MessageId] = true
	}
	if len(ids) != 10 {
		t.Errorf("message ids are %v", slices.Collect(maps.Keys(ids)))
	}
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, r.bodies("q")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"0", "2", "4", "6", "8"}, r.bodies("even")); diff != "" {
		t.Error(diff)
	}
	if r.calls != 2 {
		t.Errorf("the queues were called %d times, want once each", r.calls)
	}
}

func TestBatchRefused(t *testing.T) {
	r := start(t, "q")
	topic := r.topic(t, "news")
	r.subscribe(t, topic, "q")
	var eleven []types.PublishBatchRequestEntry
	for i := range 11 {
		eleven = append(eleven, entry(fmt.Sprint(i), "m"))
	}
	half := strings.Repeat("m", 131073)
	for want, entries := range map[string][]types.PublishBatchRequestEntry{
		"EmptyBatchRequest":            {},
		"TooManyEntriesInBatchRequest": eleven,
		"BatchEntryIdsNotDistinct":     {entry("a", "m"), entry("a", "m")},
		"InvalidBatchEntryId":          {entry("a", "m"), entry("b c", "m")},
		"BatchRequestTooLong":          {entry("a", half), entry("b", half)},
		"InvalidParameter":             {entry("a", "m"), entry("b", "\x01")},
	} {
		if _, err := r.sns.PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: entries}); code(err) != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := r.sns.PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: &topic, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{entry(strings.Repeat("a", 81), "m")}}); code(err) != "InvalidBatchEntryId" {
		t.Error(err)
	}
	if got := r.take("q"); len(got) != 0 {
		t.Errorf("%d messages were delivered", len(got))
	}
}
