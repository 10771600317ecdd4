package snsserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

func TestTopic(t *testing.T) {
	r := start(t)
	ctx := t.Context()
	arn := r.topic(t, "news", "DisplayName", "News", "FifoTopic", "false")
	if arn != "arn:aws:sns:eu-central-2:000000000000:news" {
		t.Error(arn)
	}
	if again := r.topic(t, "news"); again != arn {
		t.Errorf("made again it is %s", again)
	}
	if _, err := r.sns.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: &arn, AttributeName: aws.String("SignatureVersion"), AttributeValue: aws.String("2")}); err != nil {
		t.Fatal(err)
	}
	got, err := r.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	a := got.Attributes
	if !strings.Contains(a["Policy"], `"Resource":"`+arn+`"`) || !strings.HasPrefix(a["EffectiveDeliveryPolicy"], `{"http"`) {
		t.Errorf("policies are %q, %q", a["Policy"], a["EffectiveDeliveryPolicy"])
	}
	delete(a, "Policy")
	delete(a, "EffectiveDeliveryPolicy")
	want := map[string]string{"TopicArn": arn, "Owner": testAccount, "DisplayName": "News", "SignatureVersion": "2",
		"SubscriptionsConfirmed": "0", "SubscriptionsPending": "0", "SubscriptionsDeleted": "0"}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	for range 2 { // the second time there is nothing to delete, which is no error
		if _, err := r.sns.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &arn}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn}); code(err) != "NotFound" {
		t.Errorf("of a deleted topic: %v", err)
	}
}

func TestFIFOTopic(t *testing.T) {
	r := start(t)
	arn := r.topic(t, "orders.fifo", "ContentBasedDeduplication", "true")
	got, err := r.sns.GetTopicAttributes(t.Context(), &sns.GetTopicAttributesInput{TopicArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true", "FifoThroughputScope": "Topic"} {
		if got.Attributes[key] != want {
			t.Errorf("%s is %q", key, got.Attributes[key])
		}
	}
	if again := r.topic(t, "orders.fifo", "FifoThroughputScope", "Topic"); again != arn {
		t.Error("a default that is given is another topic")
	}
}

func TestCreateTopicRefused(t *testing.T) {
	s := openServer(t, faultfs.New(), newMemory())
	if a := post(s, "Action", "CreateTopic", "Name", "there", "Attributes.entry.1.key", "DisplayName", "Attributes.entry.1.value", "A",
		"Tags.member.1.Key", "a", "Tags.member.1.Value", "1"); a.status != 200 {
		t.Fatal(a.body)
	}
	attribute := func(name, key, value string) []string {
		return []string{"Name", name, "Attributes.entry.1.key", key, "Attributes.entry.1.value", value}
	}
	tag := func(key, value string) []string {
		return []string{"Name", "n", "Tags.member.1.Key", key, "Tags.member.1.Value", value}
	}
	for _, tc := range []struct {
		form []string
		text string // of the error
	}{
		{[]string{"Name", ""}, "Topic Name"},
		{[]string{"Name", "a b"}, "Topic Name"},
		{[]string{"Name", "a.fifo"}, "Topic Name"},
		{[]string{"Name", strings.Repeat("a", 257)}, "Topic Name"},
		{attribute("a", "FifoTopic", "true"), "must end with .fifo"},
		{attribute("a", "FifoTopic", "yes"), "Must be true or false"},
		{attribute("a.fifo", "FifoTopic", "false"), "Topic Name"},
		{attribute("a", "ContentBasedDeduplication", "true"), "FIFO topics only"},
		{attribute("a", "Unknown", "1"), "Attributes Reason: AttributeName"},
		{attribute("a", "MaximumMessageSize", "1023"), "1024 to 1048576"},
		{attribute("a", "MaximumMessageSize", "x"), "1024 to 1048576"},
		{attribute("a", "Policy", "{"), "failed to parse JSON"},
		{attribute("a", "SignatureVersion", "3"), "must be 1 or 2"},
		{attribute("a", "TracingConfig", "x"), "PassThrough or Active"},
		{attribute("a", "ArchivePolicy", "{}"), "not archived"},
		{attribute("a", "DisplayName", "a\nb"), "control characters"},
		{attribute("there", "DisplayName", "B"), "already exists with different attributes"},
		{[]string{"Name", "there", "Tags.member.1.Key", "a", "Tags.member.1.Value", "2"}, "already exists with different tags"},
		{[]string{"Name", "a", "DataProtectionPolicy", "{}"}, "DataProtectionPolicy"},
		{tag("", "v"), "1 to 128"},
		{tag(strings.Repeat("k", 129), "v"), "1 to 128"},
		{tag("aws:k", "v"), "aws:"},
		{tag("k", strings.Repeat("v", 257)), "at most 256"},
		{append(tag("k", "v"), "Tags.member.2.Key", "k"), "Duplicated keys"},
	} {
		a := post(s, append([]string{"Action", "CreateTopic"}, tc.form...)...)
		if a.status != 400 || a.Code != "InvalidParameter" || !strings.HasPrefix(a.Text, "Invalid parameter: ") || !strings.Contains(a.Text, tc.text) {
			t.Errorf("%v: %d %s %q, want %q", tc.form, a.status, a.Code, a.Text, tc.text)
		}
	}
	if names := s.store.names(); !slices.Equal(names, []string{"there"}) {
		t.Errorf("there are %v", names)
	}
}

func TestARNs(t *testing.T) {
	s := openServer(t, faultfs.New(), newMemory())
	for arn, want := range map[string]string{
		"":                                     "InvalidParameter: Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
		"a:b":                                  "InvalidParameter: Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 2",
		"arn:aws:sns:us-east-1:000000000000:t": "InvalidParameter: Invalid parameter: TopicArn",
		"arn:aws:sqs:eu-central-2:000000000000:t": "InvalidParameter: Invalid parameter: TopicArn",
		"arn:aws:sns:eu-central-2:000000000000:t": "NotFound: Topic does not exist",
		"arn:aws:sns:eu-central-2:111111111111:t": "AuthorizationError: TopicArn is of another account; the one of this endpoint is 000000000000",
	} {
		if a := post(s, "Action", "GetTopicAttributes", "TopicArn", arn); a.Code+": "+a.Text != want {
			t.Errorf("%q: %s: %s", arn, a.Code, a.Text)
		}
	}
}

// TestPages: what changes between two pages is neither repeated nor left out.
func TestPages(t *testing.T) {
	r := start(t)
	ctx := t.Context()
	const topics = 250
	var want []string
	for i := range topics {
		want = append(want, r.topic(t, fmt.Sprintf("topic-%03d", i)))
	}
	first, err := r.sns.ListTopics(ctx, nil)
	if err != nil || len(first.Topics) != 100 || first.NextToken == nil {
		t.Fatalf("%d topics, %v", len(first.Topics), err)
	}
	// The last of the page is deleted; one before it is made.
	if _, err := r.sns.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: first.Topics[99].TopicArn}); err != nil {
		t.Fatal(err)
	}
	r.topic(t, "topic-000-new")
	got := arns(first.Topics)
	for token := first.NextToken; token != nil; {
		page, err := r.sns.ListTopics(ctx, &sns.ListTopicsInput{NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		got, token = append(got, arns(page.Topics)...), page.NextToken
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func arns(topics []types.Topic) (all []string) {
	for _, t := range topics {
		all = append(all, *t.TopicArn)
	}
	return all
}

func TestTags(t *testing.T) {
	r := start(t)
	ctx := t.Context()
	out, err := r.sns.CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("t"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	if err != nil {
		t.Fatal(err)
	}
	arn := out.TopicArn
	if _, err := r.sns.TagResource(ctx, &sns.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{
		{Key: aws.String("a"), Value: aws.String("2")}, {Key: aws.String("b"), Value: aws.String("")}, {Key: aws.String("ключ"), Value: aws.String("ü & <")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.sns.UntagResource(ctx, &sns.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"b", "none"}}); err != nil {
		t.Fatal(err)
	}
	got, err := r.sns.ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, tag := range got.Tags {
		m[*tag.Key] = *tag.Value
	}
	if diff := cmp.Diff(map[string]string{"a": "2", "ключ": "ü & <"}, m); diff != "" {
		t.Error(diff)
	}
	var many []types.Tag
	for i := range 49 {
		many = append(many, types.Tag{Key: aws.String("k" + strconv.Itoa(i)), Value: aws.String("v")})
	}
	if _, err := r.sns.TagResource(ctx, &sns.TagResourceInput{ResourceArn: arn, Tags: many}); code(err) != "TagLimitExceeded" {
		t.Errorf("51 tags: %v", err)
	}
	none := aws.String(*arn + "x")
	if _, err := r.sns.ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: none}); code(err) != "ResourceNotFound" {
		t.Errorf("of no topic: %v", err)
	}
}

func TestTopicLimits(t *testing.T) {
	s := openServer(t, faultfs.New(), newMemory())
	for i := range maxFIFOTopics {
		s.store.put(&topic{Name: fmt.Sprintf("t%d.fifo", i)})
	}
	create := func(name, fifo string) answer {
		return post(s, "Action", "CreateTopic", "Name", name, "Attributes.entry.1.key", "FifoTopic", "Attributes.entry.1.value", fifo)
	}
	if a := create("more.fifo", "true"); a.Code != "TopicLimitExceeded" || a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := create("more", "false"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for i := range maxTopics {
		s.store.put(&topic{Name: fmt.Sprintf("t%d", i)})
	}
	if a := create("another", "false"); a.Code != "TopicLimitExceeded" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := create("more", "false"); a.status != 200 {
		t.Errorf("one that is there: %d %s", a.status, a.body)
	}
}
