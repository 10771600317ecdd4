package snsserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/faultfs"
)

func TestSubscription(t *testing.T) {
	r := start(t, "a", "b")
	ctx := t.Context()
	topic := r.topic(t, "news")
	sub := r.subscribe(t, topic, "a", "RawMessageDelivery", "TRUE")
	if !strings.HasPrefix(sub, topic+":") {
		t.Error(sub)
	}
	for _, same := range [][]string{nil, {"RawMessageDelivery", "true"}} {
		if again := r.subscribe(t, topic, "a", same...); again != sub {
			t.Errorf("subscribed again with %v it is %s", same, again)
		}
	}
	_, err := r.sns.Subscribe(ctx, &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: aws.String(queueARN("a")),
		Attributes: map[string]string{"RawMessageDelivery": "false"}})
	if code(err) != "InvalidParameter" || !strings.Contains(err.Error(), "Subscription already exists with different attributes") {
		t.Errorf("with other attributes: %v", err)
	}
	got, err := r.sns.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &sub})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"SubscriptionArn": sub, "TopicArn": topic, "Owner": testAccount, "Protocol": "sqs", "Endpoint": queueARN("a"),
		"RawMessageDelivery": "true", "PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true",
		"SubscriptionPrincipal": "arn:aws:iam::000000000000:root"}
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Error(diff)
	}
	other := r.subscribe(t, topic, "b")
	for range 2 { // the second time it is gone, which is no error
		if _, err := r.sns.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &sub}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.sns.ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	if err != nil || len(list.Subscriptions) != 1 || *list.Subscriptions[0].SubscriptionArn != other ||
		*list.Subscriptions[0].Endpoint != queueARN("b") || *list.Subscriptions[0].Owner != testAccount ||
		*list.Subscriptions[0].Protocol != "sqs" || *list.Subscriptions[0].TopicArn != topic {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := r.sns.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &sub}); code(err) != "NotFound" {
		t.Errorf("of one that is gone: %v", err)
	}
	a, err := r.sns.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &topic})
	if err != nil || a.Attributes["SubscriptionsConfirmed"] != "1" || a.Attributes["SubscriptionsDeleted"] != "1" {
		t.Errorf("%v, %v", a, err)
	}
}

func TestListSubscriptions(t *testing.T) {
	r := start(t)
	want := map[string]bool{}
	for i := range 3 {
		topic := r.topic(t, fmt.Sprintf("t%d", i))
		for j := range 70 {
			want[r.subscribe(t, topic, fmt.Sprintf("q%d", j))] = true
		}
	}
	pages := sns.NewListSubscriptionsPaginator(r.sns, nil)
	n, seen := 0, map[string]bool{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Subscriptions {
			if seen[*s.SubscriptionArn] {
				t.Errorf("%s is listed twice", *s.SubscriptionArn)
			}
			seen[*s.SubscriptionArn] = true
		}
		n++
	}
	if diff := cmp.Diff(want, seen); diff != "" || n != 3 {
		t.Errorf("%d pages, %s", n, diff)
	}
}

// TestThousandSubscriptions: subscribed, listed page by page, and one publish
// reaches each once.
func TestThousandSubscriptions(t *testing.T) {
	const queues = 1000
	r := start(t)
	topic := r.topic(t, "wide")
	want := map[string]bool{}
	for i := range queues {
		name := fmt.Sprintf("q%d", i)
		r.queues[name] = nil
		want[r.subscribe(t, topic, name, "RawMessageDelivery", "true")] = true
	}
	pages := sns.NewListSubscriptionsByTopicPaginator(r.sns, &sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Subscriptions {
			if !want[*s.SubscriptionArn] {
				t.Errorf("%s is listed twice, or was never subscribed", *s.SubscriptionArn)
			}
			delete(want, *s.SubscriptionArn)
		}
	}
	if len(want) > 0 || n != queues/pageSize {
		t.Errorf("%d pages, %d subscriptions not listed", n, len(want))
	}
	if _, err := r.sns.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: aws.String("to all")}); err != nil {
		t.Fatal(err)
	}
	for name := range r.queues {
		if diff := cmp.Diff([]string{"to all"}, r.bodies(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestSubscribeRefused(t *testing.T) {
	s := openServer(t, faultfs.New(), newMemory())
	for _, form := range [][]string{
		{"Name", "t"}, {"Name", "t.fifo", "Attributes.entry.1.key", "FifoTopic", "Attributes.entry.1.value", "true"},
		{"Name", "large", "Attributes.entry.1.key", "MaximumMessageSize", "Attributes.entry.1.value", "1048576"},
	} {
		if a := post(s, append([]string{"Action", "CreateTopic"}, form...)...); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	queue := []string{"Protocol", "sqs", "Endpoint", queueARN("q")}
	with := func(key, value string) []string {
		return append(queue[:len(queue):len(queue)], "Attributes.entry.1.key", key, "Attributes.entry.1.value", value)
	}
	for _, tc := range []struct {
		topic string
		form  []string
		text  string
	}{
		{"t", []string{"Endpoint", "x"}, "Value null at 'protocol'"},
		{"t", []string{"Protocol", "carrier pigeon", "Endpoint", "x"}, "Invalid parameter: Amazon SNS does not support this protocol string: carrier pigeon"},
		{"t", []string{"Protocol", "https", "Endpoint", "https://example.com"}, "does not support this protocol string: https: at this endpoint there are sqs and sms"},
		{"t", []string{"Protocol", "sqs"}, "Invalid parameter: SQS endpoint ARN"},
		{"t", []string{"Protocol", "sqs", "Endpoint", "http://localhost/q"}, "Invalid parameter: SQS endpoint ARN"},
		{"t", []string{"Protocol", "sqs", "Endpoint", "arn:aws:sqs:us-east-1:000000000000:q"}, "a queue of this endpoint is arn:aws:sqs:eu-central-2:000000000000:NAME"},
		{"t", []string{"Protocol", "sqs", "Endpoint", queueARN("q.fifo")}, "FIFO SQS Queues can not be subscribed to standard SNS topics"},
		{"t", []string{"Protocol", "sqs", "Endpoint", queueARN("a b")}, "SQS endpoint ARN"},
		{"t", []string{"Protocol", "sms", "Endpoint", "call me"}, "Invalid SMS endpoint: call me"},
		{"t", []string{"Protocol", "sms", "Endpoint", "+15--551234567"}, "Invalid SMS endpoint"},
		{"t.fifo", []string{"Protocol", "sms", "Endpoint", "+41791234567"}, "FIFO topics deliver to queues only"},
		{"large", []string{"Protocol", "sms", "Endpoint", "+41791234567"}, "all of queues"},
		{"t", []string{"Protocol", "sms", "Endpoint", "+41791234567", "Attributes.entry.1.key", "RawMessageDelivery", "Attributes.entry.1.value", "true"}, "not for the protocol sms"},
		{"t", with("Unknown", "1"), "Invalid parameter: Attributes Reason: AttributeName"},
		{"t", with("RawMessageDelivery", "yes"), "RawMessageDelivery: Invalid value [yes]. Must be true or false."},
		{"t", with("FilterPolicyScope", "x"), "FilterPolicyScope: Invalid value [x]. Please use either MessageBody or MessageAttributes"},
		{"t", with("FilterPolicy", "{"), "Invalid parameter: Attributes Reason: FilterPolicy: failed to parse JSON."},
		{"t", with("RedrivePolicy", "{"), "RedrivePolicy: failed to parse JSON."},
		{"t", with("RedrivePolicy", `{"deadLetterTargetArn":"x"}`), "RedrivePolicy: deadLetterTargetArn is an invalid arn"},
		{"t", with("RedrivePolicy", `{"deadLetterTargetArn":"`+queueARN("d.fifo")+`"}`), "must use a FIFO queue as DLQ"},
		{"t", with("ReplayPolicy", "{}"), "not archived"},
		{"t", with("DeliveryPolicy", "{"), "DeliveryPolicy: failed to parse JSON."},
	} {
		a := post(s, append([]string{"Action", "Subscribe", "TopicArn", s.topicARN(tc.topic)}, tc.form...)...)
		if a.status != 400 || !strings.Contains(a.Text, tc.text) {
			t.Errorf("%s %v: %d %s %q, want %q", tc.topic, tc.form, a.status, a.Code, a.Text, tc.text)
		}
	}
	if a := post(s, append([]string{"Action", "Subscribe", "TopicArn", s.topicARN("none")}, queue...)...); a.Code != "NotFound" {
		t.Error(a.body)
	}
	if a := post(s, "Action", "ListSubscriptions"); strings.Contains(a.body, "<member>") {
		t.Errorf("something was subscribed: %s", a.body)
	}
}

func TestConfirm(t *testing.T) {
	s := openServer(t, faultfs.New(), newMemory())
	post(s, "Action", "CreateTopic", "Name", "t")
	for topic, want := range map[string]string{"t": "InvalidParameter: Invalid parameter: Token", "none": "NotFound: Topic does not exist"} {
		if a := post(s, "Action", "ConfirmSubscription", "TopicArn", s.topicARN(topic), "Token", "x"); a.Code+": "+a.Text != want {
			t.Errorf("%s: %s", topic, a.body)
		}
	}
}

func TestSetSubscriptionAttributes(t *testing.T) {
	r := start(t, "a")
	ctx := t.Context()
	sub := r.subscribe(t, r.topic(t, "news"), "a")
	set := func(key, value string) error {
		_, err := r.sns.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{SubscriptionArn: &sub, AttributeName: &key, AttributeValue: &value})
		return err
	}
	for _, pair := range [][2]string{
		{"RawMessageDelivery", "True"}, {"FilterPolicyScope", "MessageBody"}, {"FilterPolicy", `{"a":{"b":["c"]}}`},
		{"RedrivePolicy", `{"deadLetterTargetArn":"` + queueARN("dead") + `"}`},
	} {
		if err := set(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := set("FilterPolicyScope", "MessageAttributes"); code(err) != "InvalidParameter" {
		t.Errorf("a scope that the policy cannot have: %v", err)
	}
	if err := set("FilterPolicy", "[]"); code(err) != "InvalidParameter" || !strings.Contains(err.Error(), "Invalid parameter: FilterPolicy: failed to parse JSON.") {
		t.Errorf("no policy: %v", err)
	}
	get := func() map[string]string {
		out, err := r.sns.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &sub})
		if err != nil {
			t.Fatal(err)
		}
		return out.Attributes
	}
	a := get()
	if a["RawMessageDelivery"] != "true" || a["FilterPolicyScope"] != "MessageBody" || a["FilterPolicy"] != `{"a":{"b":["c"]}}` || !strings.Contains(a["RedrivePolicy"], ":dead") {
		t.Errorf("%v", a)
	}
	for _, none := range []string{"", "{}"} {
		if err := set("FilterPolicy", none); err != nil {
			t.Fatal(err)
		}
		a := get()
		if _, ok := a["FilterPolicy"]; ok || a["FilterPolicyScope"] != "" {
			t.Errorf("%q does not take the filter away: %v", none, a)
		}
	}
}

func TestSubscriptionLimits(t *testing.T) {
	s := openServer(t, faultfs.New(), newMemory())
	full := &topic{Name: "full"}
	for i := range maxSubscriptions {
		full.Subscriptions = append(full.Subscriptions, &subscription{ID: fmt.Sprint(i), Protocol: protocolSQS, Endpoint: queueARN(fmt.Sprint("q", i))})
	}
	filtered := &topic{Name: "filtered"}
	for i := range maxFilters {
		filtered.Subscriptions = append(filtered.Subscriptions, &subscription{ID: fmt.Sprint(i), filter: &filter{}})
	}
	s.store.put(full)
	s.store.put(filtered)
	subscribe := func(topic string, more ...string) answer {
		return post(s, append([]string{"Action", "Subscribe", "TopicArn", s.topicARN(topic), "Protocol", "sqs", "Endpoint", queueARN("new")}, more...)...)
	}
	if a := subscribe("full"); a.status != 403 || a.Code != "SubscriptionLimitExceeded" {
		t.Error(a.body)
	}
	policy := []string{"Attributes.entry.1.key", "FilterPolicy", "Attributes.entry.1.value", `{"a":["b"]}`}
	if a := subscribe("filtered", policy...); a.status != 403 || a.Code != "FilterPolicyLimitExceeded" {
		t.Error(a.body)
	}
	if a := subscribe("filtered"); a.status != 200 {
		t.Error(a.body)
	}
}
