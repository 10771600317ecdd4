package sqsserver_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// A standard queue takes a receipt as long as its message is there, as SQS does:
// after the visibility is over, which hides the message again, and after the
// message was received again.
func TestReceiptsOfStandardQueues(t *testing.T) {
	h := queues(t)
	const change, none = "ChangeMessageVisibility", "{}"
	must(t, h, "SendMessage", `{q},"MessageBody":"m"`)
	first := receive(t, h, "q", `,"VisibilityTimeout":0`)
	must(t, h, change, `{q},"ReceiptHandle":"`+first+`","VisibilityTimeout":60`)
	if got := must(t, h, "ReceiveMessage", `{q}`); got != none {
		t.Fatalf("hidden again, and received: %s", got)
	}
	must(t, h, change, `{q},"ReceiptHandle":"`+first+`","VisibilityTimeout":0`)
	second := receive(t, h, "q", "")
	must(t, h, change, `{q},"ReceiptHandle":"`+first+`","VisibilityTimeout":0`)
	if third := receive(t, h, "q", ""); third == second || third == first {
		t.Errorf("a receipt was given out twice: %s", third)
	}
	must(t, h, "DeleteMessage", `{q},"ReceiptHandle":"`+first+`"`) // succeeds, and deletes nothing
	if got := must(t, h, "GetQueueAttributes", `{q},"AttributeNames":["ApproximateNumberOfMessagesNotVisible"]`); !strings.Contains(got, `:"1"`) {
		t.Errorf("after a delete with an older receipt: %s", got)
	}
}

// Groups of a FIFO queue take turns, as on SQS: what came back stands behind the
// groups that were not asked yet.
func TestGroupsTakeTurns(t *testing.T) {
	h := queues(t)
	for i, group := range []string{"1", "2", "2", "3", "1"} {
		must(t, h, "SendMessage", `{content.fifo},"MessageGroupId":"`+group+`","MessageBody":"`+group+string(rune('a'+i))+`"`)
	}
	got := func(max string) string {
		t.Helper()
		return strings.Join(bodiesOf(t, must(t, h, "ReceiveMessage", `{content.fifo},"VisibilityTimeout":0,"MaxNumberOfMessages":`+max)), " ")
	}
	for _, step := range []struct{ max, want string }{
		{"3", "1a 1e 2b"},
		{"10", "3d 1a 1e 2b 2c"},
		{"1", "3d"},
	} {
		if got := got(step.max); got != step.want {
			t.Errorf("%s at most: received %s, want %s", step.max, got, step.want)
		}
	}
}

// A policy may name the queue itself. It is shown, and moves nothing.
func TestOwnDeadLetterQueue(t *testing.T) {
	h := queues(t)
	const policy = `{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:q\",\"maxReceiveCount\":1}`
	set := func(value string) { must(t, h, "SetQueueAttributes", `{q},"Attributes":{"RedrivePolicy":"`+value+`"}`) }
	shown := func() string {
		return must(t, h, "GetQueueAttributes", `{q},"AttributeNames":["RedrivePolicy"]`)
	}
	set(policy)
	if got, want := shown(), `{"Attributes":{"RedrivePolicy":"`+policy+`"}}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	must(t, h, "SendMessage", `{q},"MessageBody":"m"`)
	for range 3 {
		receive(t, h, "q", `,"VisibilityTimeout":0`)
	}
	set("")
	if got := shown(); got != "{}" {
		t.Errorf("taken away, and still %s", got)
	}
}

// bodiesOf are those of the messages in a reply of ReceiveMessage.
func bodiesOf(t *testing.T, reply string) (list []string) {
	t.Helper()
	var got struct{ Messages []struct{ Body string } }
	if err := json.Unmarshal([]byte(reply), &got); err != nil {
		t.Fatal(err)
	}
	for _, m := range got.Messages {
		list = append(list, m.Body)
	}
	return list
}
