package sqsserver_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What refuses a batch as a whole.
func TestWordsOfBatches(t *testing.T) {
	h := queues(t)
	const prefix = "AWS.SimpleQueueService."
	id := refused{400, prefix + "InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."}
	eleven := strings.Repeat(`{"Id":"x"},`, 10) + `{"Id":"x"}`
	for action, entry := range map[string]string{
		"SendMessageBatch": "SendMessageBatchRequestEntry", "DeleteMessageBatch": "DeleteMessageBatchRequestEntry",
		"ChangeMessageVisibilityBatch": "ChangeMessageVisibilityBatchRequestEntry",
	} {
		checkSayings(t, h, []saying{
			{action, `{q},"Entries":[]`, refused{400, prefix + "EmptyBatchRequest", "There should be at least one " + entry + " in the request."}},
			{action, `{q},"Entries":[` + eleven + `]`, refused{400, prefix + "TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 11."}},
			{action, `{q},"Entries":[{"Id":"a"},{}]`, refused{400, missing, "The request must contain the parameter " + entry + ".2.Id."}},
			{action, `{q},"Entries":[{"Id":""}]`, id},
			{action, `{q},"Entries":[{"Id":"a:b"}]`, id},
			{action, `{q},"Entries":[{"Id":"` + strings.Repeat("a", 81) + `"}]`, id},
			{action, `{q},"Entries":[{"Id":"a"},{"Id":"b"},{"Id":"b"},{"Id":"a"}]`, refused{400, prefix + "BatchEntryIdsNotDistinct", "Id b repeated."}},
			{action, `{nowhere},"Entries":[{"Id":"a"}]`, refused{400, prefix + "NonExistentQueue", "The specified queue does not exist."}},
		})
	}
	large := `{"Id":"1","MessageBody":"` + strings.Repeat("x", 1<<20-8) + `","MessageAttributes":{"k":{"DataType":"String","StringValue":"x"}}}`
	checkSayings(t, h, []saying{
		{"SendMessageBatch", `{q},"Entries":[` + large + `,{"Id":"2","MessageBody":"a"}]`,
			refused{400, prefix + "BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."}},
		{"SendMessageBatch", `{q},"Entries":[{"Id":"1","MessageBody":"` + strings.Repeat("x", 1<<20+1) + `"}]`,
			refused{400, prefix + "BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."}},
	})
	must(t, h, "SendMessageBatch", `{q},"Entries":[`+large+`]`)
}

// outcome of an entry, as far as it is always the same.
type outcome struct {
	Id, Code, Message string
	SenderFault       bool
}

func failedOf(t *testing.T, reply string) (failed []outcome, successful int) {
	t.Helper()
	var got struct {
		Successful []struct{ Id string }
		Failed     []outcome
	}
	if err := json.Unmarshal([]byte(reply), &got); err != nil {
		t.Fatal(err)
	}
	return got.Failed, len(got.Successful)
}

// Entries of a standard queue fail each by itself.
func TestFailedEntries(t *testing.T) {
	h := queues(t)
	reply := must(t, h, "SendMessageBatch", `{small},"Entries":[{"Id":"good","MessageBody":"x"},{"Id":"empty","MessageBody":""},`+
		`{"Id":"control","MessageBody":"\u0001"},{"Id":"late","MessageBody":"x","DelaySeconds":901},{"Id":"large","MessageBody":"`+strings.Repeat("x", 1025)+`"},`+
		`{"Id":"dedup","MessageBody":"x","MessageDeduplicationId":"d"},{"Id":"group","MessageBody":"x","MessageGroupId":"a b"},`+
		`{"Id":"number","MessageBody":"x","MessageAttributes":{"n":{"DataType":"Number","StringValue":"x"}}}]`)
	failed, n := failedOf(t, reply)
	want := []outcome{
		{"empty", "EmptyValue", "The request must contain the parameter SendMessageBatchRequestEntry.2.MessageBody.", true},
		{"control", "InvalidMessageContents", "Invalid binary character '#x1' was found in the message body, the set of allowed characters is " +
			"#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].", true},
		{"late", "InvalidParameterValue", "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", true},
		{"large", "InvalidParameterValue", "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.", true},
		{"dedup", "InvalidParameterValue", "The request include parameter that is not valid for this queue type", true},
		{"group", "InvalidParameterValue", "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length", true},
		{"number", "InvalidParameterValue", "Can't cast the value of message (user) attribute 'n' to a number.", true},
	}
	if d := cmp.Diff(want, failed); d != "" || n != 1 {
		t.Errorf("%d successful; failed (-want +got):\n%s", n, d)
	}
	if got := attributesOf(t, h, "small", `["ApproximateNumberOfMessages"]`)["ApproximateNumberOfMessages"]; got != "1" {
		t.Errorf("%s messages, want the one that was good", got)
	}
	held := receive(t, h, "small", "")
	reply = must(t, h, "ChangeMessageVisibilityBatch", `{small},"Entries":[{"Id":"good","ReceiptHandle":"`+held+`","VisibilityTimeout":9},`+
		`{"Id":"handle","VisibilityTimeout":9},{"Id":"timeout","ReceiptHandle":"x"},{"Id":"wrong","ReceiptHandle":"x","VisibilityTimeout":9},`+
		`{"Id":"range","ReceiptHandle":"x","VisibilityTimeout":-20}]`)
	failed, n = failedOf(t, reply)
	want = []outcome{
		{"handle", "MissingParameter", "The request must contain the parameter ReceiptHandle.", true},
		{"timeout", "MissingParameter", "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.3.VisibilityTimeout.", true},
		{"wrong", "ReceiptHandleIsInvalid", `The input receipt handle "x" is not a valid receipt handle.`, true},
		{"range", "InvalidParameterValue", "Value -20 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.", true},
	}
	if d := cmp.Diff(want, failed); d != "" || n != 1 {
		t.Errorf("%d successful; failed (-want +got):\n%s", n, d)
	}
}

// An entry whose message is gone has another code and other words than
// ChangeMessageVisibility has; they are from what SQS answered to gocloud.dev's
// tests, as recorded in them (awssnssqs, TestDoubleAck, 2026). One that is visible
// again is hidden again.
func TestBatchOfMessagesNotInFlight(t *testing.T) {
	h := queues(t)
	must(t, h, "SendMessage", `{q},"MessageBody":"deleted"`)
	must(t, h, "SendMessage", `{q},"MessageBody":"visible"`)
	deleted, visible := receive(t, h, "q", ""), receive(t, h, "q", "")
	must(t, h, "DeleteMessageBatch", `{q},"Entries":[{"Id":"0","ReceiptHandle":"`+deleted+`"}]`)
	must(t, h, "ChangeMessageVisibility", `{q},"ReceiptHandle":"`+visible+`","VisibilityTimeout":0`)
	failed, n := failedOf(t, must(t, h, "ChangeMessageVisibilityBatch", `{q},"Entries":[{"Id":"0","ReceiptHandle":"`+deleted+`","VisibilityTimeout":1},`+
		`{"Id":"1","ReceiptHandle":"`+visible+`","VisibilityTimeout":1}]`))
	const words = "Message does not exist or is not available for visibility timeout change"
	want := []outcome{{"0", "ReceiptHandleIsInvalid", words, true}}
	if d := cmp.Diff(want, failed); d != "" || n != 1 {
		t.Errorf("%d successful; failed (-want +got):\n%s", n, d)
	}
	if failed, n := failedOf(t, must(t, h, "DeleteMessageBatch", `{q},"Entries":[{"Id":"0","ReceiptHandle":"`+deleted+`"}]`)); n != 1 {
		t.Errorf("deleted again: %v", failed)
	}
}

// Of the two lists there are only those with something in them.
func TestEmptyListsLeftOut(t *testing.T) {
	h := queues(t)
	sent := must(t, h, "SendMessageBatch", `{q},"Entries":[{"Id":"a","MessageBody":"x"}]`)
	failed := must(t, h, "DeleteMessageBatch", `{q},"Entries":[{"Id":"a","ReceiptHandle":"x"},{"Id":"b"}]`)
	mixed := must(t, h, "DeleteMessageBatch", `{q},"Entries":[{"Id":"a","ReceiptHandle":"x"},{"Id":"b","ReceiptHandle":"`+receive(t, h, "q", "")+`"},{"Id":"c"}]`)
	for reply, want := range map[string][2]bool{sent: {true, false}, failed: {false, true}, mixed: {true, true}} {
		if !json.Valid([]byte(reply)) || strings.Contains(reply, `"Successful":[{`) != want[0] || strings.Contains(reply, `"Failed":[{`) != want[1] ||
			strings.Contains(reply, "[]") {
			t.Errorf("%s", reply)
		}
	}
	if got := must(t, h, "ReceiveMessage", `{q}`); got != `{}` {
		t.Errorf("nothing received: %s", got)
	}
	must(t, h, "SendMessage", `{q},"MessageBody":"x"`)
	if got := must(t, h, "ReceiveMessage", `{q},"AttributeNames":["SequenceNumber"],"MessageAttributeNames":["All"]`); strings.Contains(got, "Attributes") {
		t.Errorf("a message without the attributes asked for: %s", got)
	}
}

// Nothing of a FIFO batch is sent when one of its messages cannot be: those
// after it would overtake it.
func TestBatchOfFIFO(t *testing.T) {
	h := queues(t)
	const good = `{"Id":"good","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"1"},`
	for entry, want := range map[string]refused{
		`{"Id":"a","MessageBody":"x","MessageGroupId":"g"}`:         {400, value, "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
		`{"Id":"a","MessageBody":"x","MessageDeduplicationId":"2"}`: {400, value, "The request must contain the parameter MessageGroupId."},
		`{"Id":"a","MessageGroupId":"g","MessageDeduplicationId":"2"}`: {400, missing,
			"The request must contain the parameter SendMessageBatchRequestEntry.2.MessageBody."},
		`{"Id":"a","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"2","DelaySeconds":3}`: {400, value,
			"Value 3 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."},
		`{"Id":"a","MessageBody":"x","MessageGroupId":"a b","MessageDeduplicationId":"2"}`: {400, value,
			"Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		`{"Id":"a","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"2","MessageAttributes":{"n":{"DataType":"Number","StringValue":"x"}}}`: {400, value,
			"Can't cast the value of message (user) attribute 'n' to a number."},
	} {
		checkSayings(t, h, []saying{{"SendMessageBatch", `{f.fifo},"Entries":[` + good + entry + `]`, want}})
	}
	if got := attributesOf(t, h, "f.fifo", `["ApproximateNumberOfMessages"]`)["ApproximateNumberOfMessages"]; got != "0" {
		t.Errorf("%s messages were sent", got)
	}
}

// The header that traces a request is the message's trace too, unless it has
// one; it is not part of what is summed.
func TestTraceHeader(t *testing.T) {
	h := queues(t)
	const trace = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"
	for own, want := range map[string]string{
		"": trace, `,"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"own"}}`: "own",
	} {
		for action, body := range map[string]string{
			"SendMessage":      `{q},"MessageBody":"x"` + own,
			"SendMessageBatch": `{q},"Entries":[{"Id":"a","MessageBody":"x"` + own + `}]`,
		} {
			reply := withHeader(t, h, action, body, "X-Amzn-Trace-Id", trace)
			if strings.Contains(reply, "MD5OfMessageSystemAttributes") != (own != "") {
				t.Errorf("%s: %s", action, reply)
			}
			got := must(t, h, "ReceiveMessage", `{q},"AttributeNames":["AWSTraceHeader"]`)
			if !strings.Contains(got, `"Attributes":{"AWSTraceHeader":"`+want+`"}`) {
				t.Errorf("%s %s: received %s", action, own, got)
			}
		}
	}
}
