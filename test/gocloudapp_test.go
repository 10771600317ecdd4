package test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"gocloud.dev/gcerrors"
	"gocloud.dev/pubsub"
	_ "gocloud.dev/pubsub/awssnssqs" // awssqs:// and awssns://

	"github.com/google/go-cmp/cmp"
)

// TestGoCloud is an application of gocloud.dev/pubsub that knows dayfly by its
// environment only, and opens queues by URL.
func TestGoCloud(t *testing.T) {
	h := gocloudHouse(t)
	address := func(variable string) string { // https is the driver's idea; the endpoint's scheme holds
		return "awssqs://" + strings.TrimPrefix(h.env[variable], "http://")
	}
	topic, err := pubsub.OpenTopic(t.Context(), address("QUEUE_DEFAULT_URL"))
	if err != nil {
		t.Fatal(err)
	}
	subscription, err := pubsub.OpenSubscription(t.Context(), address("QUEUE_DEFAULT_URL")+"?waittime=1s&raw=true")
	if err != nil {
		t.Fatal(err)
	}

	// Sent at once, which the driver makes batches of; each tenth is handled at the
	// second time only. Bodies that are not UTF-8 travel as base64.
	const messages = 100
	sent := map[string]string{}
	var sending []chan error
	for i := range messages {
		body := fmt.Sprintf("grüße %d \xff\x00", i)
		sent[body] = fmt.Sprint(i)
		done := make(chan error, 1)
		go func() {
			done <- topic.Send(t.Context(), &pubsub.Message{Body: []byte(body), Metadata: map[string]string{"number": fmt.Sprint(i), "Schlüssel/1": "ü \n"}})
		}()
		sending = append(sending, done)
	}
	for _, done := range sending {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	refused, handled := map[string]bool{}, map[string]string{}
	for len(handled) < messages {
		m := receive(t, subscription)
		body, number := string(m.Body), m.Metadata["number"]
		var as sqstypes.Message
		if !m.As(&as) || aws.ToString(as.MessageId) == "" || m.Metadata["Schlüssel/1"] != "ü \n" {
			t.Errorf("%q came with %v", body, m.Metadata)
		}
		if strings.HasSuffix(number, "7") && !refused[body] {
			refused[body] = true
			m.Nack()
			continue
		}
		if handled[body] != "" {
			t.Errorf("%q came again after its acknowledgement was sent", body)
		}
		handled[body] = number
		m.Ack()
	}
	if d := cmp.Diff(sent, handled); d != "" || len(refused) != messages/10 {
		t.Errorf("%d refused; handled (-want +got):\n%s", len(refused), d)
	}
	shutDown(t, topic, subscription) // sends what is left of acknowledgements
	if got := h.counts("default"); got != "0 0" {
		t.Errorf("%s messages wait and are in flight, want none", got)
	}

	nowhere, err := pubsub.OpenTopic(t.Context(), address("QUEUE_DEFAULT_URL")+"-not")
	if err != nil {
		t.Fatal(err)
	}
	if err := nowhere.Send(t.Context(), &pubsub.Message{Body: []byte("x")}); gcerrors.Code(err) != gcerrors.NotFound {
		t.Errorf("a queue that is not there answered %v", err)
	}
	shutDown(t, nowhere)
	h.down()
}

// TestGoCloudTopic sends through an SNS topic to two queues, one of which is
// subscribed to messages as they were sent, the other to SNS's envelope.
func TestGoCloudTopic(t *testing.T) {
	h := gocloudHouse(t)
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	topics, queues := sns.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	created, err := topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("news")})
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{"default": "true", "envelopes": "false"} {
		got, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: aws.String(h.env["QUEUE_"+strings.ToUpper(name)+"_URL"]), AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: created.TopicArn, Protocol: aws.String("sqs"),
			Endpoint: aws.String(got.Attributes["QueueArn"]), Attributes: map[string]string{"RawMessageDelivery": raw}}); err != nil {
			t.Fatal(err)
		}
	}
	topic, err := pubsub.OpenTopic(t.Context(), "awssns:///"+*created.TopicArn)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]string{}
	for i := range 25 {
		body, metadata := fmt.Sprintf("news %d \U0001f680", i), map[string]string{"number": fmt.Sprint(i)}
		want[body] = metadata
		if err := topic.Send(t.Context(), &pubsub.Message{Body: []byte(body), Metadata: metadata}); err != nil {
			t.Fatal(err)
		}
	}
	for variable, options := range map[string]string{"QUEUE_DEFAULT_URL": "raw=true", "QUEUE_ENVELOPES_URL": "snstopicarn=" + *created.TopicArn} {
		subscription, err := pubsub.OpenSubscription(t.Context(), "awssqs://"+strings.TrimPrefix(h.env[variable], "http://")+"?waittime=1s&"+options)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]map[string]string{}
		for len(got) < len(want) {
			m := receive(t, subscription)
			got[string(m.Body)] = m.Metadata
			m.Ack()
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, %s (-want +got):\n%s", variable, options, d)
		}
		shutDown(t, subscription)
	}

	if err := errors.Join(topic.Shutdown(t.Context()), deleteTopic(t.Context(), topics, *created.TopicArn)); err != nil {
		t.Fatal(err)
	}
	gone, err := pubsub.OpenTopic(t.Context(), "awssns:///"+*created.TopicArn)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Send(t.Context(), &pubsub.Message{Body: []byte("x")}); gcerrors.Code(err) != gcerrors.NotFound {
		t.Errorf("a topic that is not there any more answered %v", err)
	}
	shutDown(t, gone)
	h.down()
}

func deleteTopic(ctx context.Context, topics *sns.Client, arn string) error {
	_, err := topics.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &arn})
	return err
}

// gocloudHouse starts a dayfly, and gives the test the environment of its shell.
func gocloudHouse(t *testing.T) *house {
	t.Helper()
	dir := application(t, "name = \"gocloud\"\n[queue.default]\n[queue.envelopes]\n"+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	for _, name := range slices.Sorted(maps.Keys(h.env)) {
		t.Setenv(name, h.env[name])
	}
	return h
}

// counts are how many messages of a queue wait and how many are in flight.
func (h *house) counts(name string) string {
	h.t.Helper()
	cfg, err := config.LoadDefaultConfig(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	got, err := sqs.NewFromConfig(cfg).GetQueueAttributes(h.t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(h.env["QUEUE_"+strings.ToUpper(name)+"_URL"]), AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil {
		h.t.Fatal(err)
	}
	return got.Attributes["ApproximateNumberOfMessages"] + " " + got.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

func receive(t *testing.T, s *pubsub.Subscription) *pubsub.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shutDown(t *testing.T, parts ...interface{ Shutdown(context.Context) error }) {
	t.Helper()
	for _, p := range parts {
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
