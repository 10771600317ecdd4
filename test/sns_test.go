package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"github.com/dayfly-dev/dayfly/dash"
	"github.com/dayfly-dev/dayfly/internal/need"
	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
)

// topics is a client of the SNS endpoint that tries once.
func topics(env map[string]string) *sns.Client {
	return sns.New(sns.Options{Region: env["AWS_REGION"], BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]), RetryMaxAttempts: 1,
		HTTPClient:  need.WholeBodies{Client: &http.Client{}},
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")})
}

// queueARN is that of a queue of the manifest.
func queueARN(env map[string]string, name string) string {
	url := env["QUEUE_"+strings.ToUpper(name)+"_URL"]
	return "arn:aws:sqs:" + env["AWS_REGION"] + ":000000000000:" + url[strings.LastIndexByte(url, '/')+1:]
}

// openQueue is a client of a queue of the manifest.
func openQueue(t *testing.T, env map[string]string, name string) *queue.Queue {
	t.Helper()
	cfg := aws.Config{Region: env["AWS_REGION"], BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]),
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")}
	q, err := sqsqueue.Open(t.Context(), env["QUEUE_"+strings.ToUpper(name)+"_URL"], &sqsqueue.Options{Config: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// texts are the text messages of the dashboard's inbox, newest first.
func texts(t *testing.T, env map[string]string) (all []dash.MailSummary) {
	t.Helper()
	var page struct{ Mails []dash.MailSummary }
	if err := json.Unmarshal([]byte(get(t, env["DAYFLY_URL"]+"/inbox?format=json")), &page); err != nil {
		t.Fatal(err)
	}
	for _, m := range page.Mails {
		if m.SMS {
			all = append(all, m)
		}
	}
	return all
}

// TestTopics runs boto3 and the aws command against the SNS endpoint, and finds
// the text messages they sent in the inbox.
func TestTopics(t *testing.T) {
	t.Parallel()
	python := need.Python(t, "boto3", "awscli")
	dir := application(t, "name = \"topics\"\n"+anyPorts)
	h := up(t, dir, filepath.Join(dir, ".dayfly"))
	for _, client := range [][]string{
		{python, "clients/sns_boto3.py", h.env["AWS_ENDPOINT_URL"]},
		{python, "clients/sns_awscli.py", h.env["AWS_ENDPOINT_URL"]},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
		cmd := exec.CommandContext(ctx, client[0], client[1:]...)
		cmd.Env = os.Environ()
		for k, v := range h.env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Errorf("%s: %v\n%s", client[1], err, out)
		}
	}
	var got []string
	for _, m := range texts(t, h.env) {
		got = append(got, fmt.Sprintf("%s to %s: %s", m.From, strings.Join(m.To, " "), m.Subject))
	}
	want := []string{" to +41791234567: from the aws command by SMS", " to +41790000000: Alarm> the server room is warm",
		"SHOP to +41791234567: Grüße 🚀", " to +41791234567: Your code is 4711"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("in the inbox are %q, want %q", got, want)
	}
	h.down()
}

func newTopic(t *testing.T, client *sns.Client, name string) string {
	t.Helper()
	out, err := client.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *out.TopicArn
}

func subscribeQueue(t *testing.T, client *sns.Client, topic, queue string, attributes map[string]string) {
	t.Helper()
	if _, err := client.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: &queue, Attributes: attributes}); err != nil {
		t.Fatal(err)
	}
}

// drain empties a queue and counts how often each text came, out of its
// envelope where it has one.
func drain(t *testing.T, q *queue.Queue) map[string]int {
	t.Helper()
	got := map[string]int{}
	for {
		batch, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) == 0 {
			return got
		}
		for _, m := range batch {
			text := m.Body
			var envelope struct{ Message string }
			if json.Unmarshal([]byte(text), &envelope) == nil && envelope.Message != "" {
				text = envelope.Message
			}
			got[text]++
		}
	}
}

// TestTopicsFullDisk: with a full disk a publish, a text message and a new topic
// are refused and say so; what was refused is nowhere, also after a kill, and
// with room all is taken again.
func TestTopicsFullDisk(t *testing.T) {
	t.Parallel()
	disk := need.Disk(t, "size=64m")
	dir := application(t, "name = \"full\"\n[queue.raw]\n"+anyPorts)
	data, filler := filepath.Join(disk, "data"), filepath.Join(disk, "filler")
	h := up(t, dir, data)
	client := topics(h.env)
	topic := newTopic(t, client, "news")
	subscribeQueue(t, client, topic, queueARN(h.env, "raw"), map[string]string{"RawMessageDelivery": "true"})

	refusal := func(what string, err error) {
		t.Helper()
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != "ServiceUnavailable" || !strings.Contains(e.ErrorMessage(), "no room on the disk") {
			t.Errorf("%s with a full disk: %v", what, err)
		}
	}
	var answered []string
	var refused error
	fill(t, filler)
	for n := 0; refused == nil && n < 1000; n++ {
		body := fmt.Sprintf("%d %s", n, strings.Repeat("x", 200_000))
		if _, refused = client.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: &body}); refused == nil {
			answered = append(answered, body)
		}
	}
	refusal("a publish", refused)
	eventually(t, "the rest is full, too", func() bool {
		fill(t, filler)
		_, err := client.Publish(t.Context(), &sns.PublishInput{PhoneNumber: aws.String("+41791234567"), Message: aws.String(strings.Repeat("x", 1600))})
		if err != nil {
			refusal("a text message", err)
		}
		return err != nil
	})
	kept := len(texts(t, h.env))
	_, err := client.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("another")})
	refusal("a new topic", err)

	h.kill()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	h = up(t, dir, data)
	client = topics(h.env)
	got := drain(t, openQueue(t, h.env, "raw"))
	for _, body := range answered {
		if got[body] != 1 {
			t.Errorf("message %.5s was answered and is there %d times", body, got[body])
		}
		delete(got, body)
	}
	if len(got) > 0 {
		t.Errorf("%d messages are there that were refused", len(got))
	}
	if n := len(texts(t, h.env)); n != kept {
		t.Errorf("%d text messages, before the kill %d", n, kept)
	}
	if list, err := client.ListTopics(t.Context(), nil); err != nil || len(list.Topics) != 1 {
		t.Errorf("%d topics, %v", len(list.Topics), err)
	}
	if _, err := client.Publish(t.Context(), &sns.PublishInput{TopicArn: &topic, Message: aws.String("with room again")}); err != nil {
		t.Error(err)
	}
	if got := drain(t, openQueue(t, h.env, "raw")); got["with room again"] != 1 {
		t.Errorf("with room again: %v", got)
	}
	t.Logf("%d messages answered before the disk was full, then: %v", len(answered), refused)
	h.down()
}
