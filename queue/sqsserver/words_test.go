package sqsserver_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// address of a queue as an argument.
func address(name string) string { return `"QueueUrl":"http://h/000000000000/` + name + `"` }

// on writes a request: {name} stands for the address of a queue.
func on(body string) string {
	for _, name := range []string{"q", "small", "f.fifo", "content.fifo", "dead", "source", "other", "nowhere"} {
		body = strings.ReplaceAll(body, "{"+name+"}", address(name))
	}
	return "{" + body + "}"
}

// must posts what has to succeed and returns the reply.
func must(t testing.TB, h http.Handler, action, body string) string {
	t.Helper()
	w := post(h, action, on(body))
	if w.Code != 200 {
		t.Fatalf("%s %s: %d %s", action, on(body), w.Code, w.Body)
	}
	return w.Body.String()
}

// withHeader is must with a header of the request.
func withHeader(t testing.TB, h http.Handler, action, body, header, value string) string {
	t.Helper()
	r := httptest.NewRequest("POST", "http://h/", strings.NewReader(on(body)))
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.Header.Set(header, value)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 200 {
		t.Fatalf("%s: %d %s", action, w.Code, w.Body)
	}
	return w.Body.String()
}

// refused is what a client sees of an error.
type refused struct {
	status        int
	code, message string
}

// refuse posts what has to fail and returns how it did.
func refuse(t testing.TB, h http.Handler, action, body string) refused {
	t.Helper()
	w := post(h, action, on(body))
	var e struct{ Message string }
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("%s: %v in %s", action, err, w.Body)
	}
	code, _, _ := strings.Cut(w.Header().Get("X-Amzn-Query-Error"), ";")
	return refused{w.Code, code, e.Message}
}

// queues makes the queues that on knows, but nowhere.
func queues(t testing.TB) http.Handler {
	h := handler(t)
	must(t, h, "CreateQueue", `"QueueName":"small","Attributes":{"MaximumMessageSize":"1024"}`)
	must(t, h, "CreateQueue", `"QueueName":"f.fifo","Attributes":{"FifoQueue":"true"}`)
	must(t, h, "CreateQueue", `"QueueName":"content.fifo","Attributes":{"FifoQueue":"true","ContentBasedDeduplication":"true"}`)
	must(t, h, "CreateQueue", `"QueueName":"dead"`)
	must(t, h, "CreateQueue", `"QueueName":"source","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\",\"maxReceiveCount\":1}"}`)
	must(t, h, "CreateQueue", `"QueueName":"other"`)
	return h
}

// saying is a request and the words in which it is refused.
type saying struct {
	action, body string
	want         refused
}

func checkSayings(t *testing.T, h http.Handler, list []saying) {
	t.Helper()
	for _, s := range list {
		if got := refuse(t, h, s.action, s.body); got != s.want {
			t.Errorf("%s %.200s\n got %d %s %.300s\nwant %d %s %.300s", s.action, s.body,
				got.status, got.code, got.message, s.want.status, s.want.code, s.want.message)
		}
	}
}

// receive takes a message and returns its receipt.
func receive(t testing.TB, h http.Handler, queue, more string) string {
	t.Helper()
	var got struct {
		Messages []struct{ ReceiptHandle string }
	}
	reply := must(t, h, "ReceiveMessage", address(queue)+more)
	if err := json.Unmarshal([]byte(reply), &got); err != nil || len(got.Messages) != 1 {
		t.Fatalf("received %s, %v", reply, err)
	}
	return got.Messages[0].ReceiptHandle
}

const (
	value   = "InvalidParameterValue"
	missing = "MissingParameter"
)

// What AWS answers, word for word: clients compare the texts where one code is
// for many things.
func TestWordsOfMessages(t *testing.T) {
	h := queues(t)
	attribute := func(name, parts string) string {
		return `{q},"MessageBody":"x","MessageAttributes":{"` + name + `":{` + parts + `}}`
	}
	long := strings.Repeat("a", 257)
	eleven := `{q},"MessageBody":"x","MessageAttributes":{"a0":{"DataType":"String","StringValue":"x"}`
	for _, n := range strings.Split("123456789a", "") {
		eleven += `,"a` + n + `":{"DataType":"String","StringValue":"x"}`
	}
	token := func(value, name string) refused {
		return refused{400, "InvalidParameterValue", "Value " + value + " for parameter " + name + " is invalid. Reason: " + name +
			" can only include alphanumeric and punctuation characters. 1 to 128 in length."}
	}
	checkSayings(t, h, []saying{
		{"SendMessage", `{q},"MessageBody":""`, refused{400, missing, "The request must contain the parameter MessageBody."}},
		{"SendMessage", `{q},"MessageBody":"a\u0001"`, refused{400, "InvalidMessageContents", "Invalid binary character '#x1' was found in the message body, " +
			"the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."}},
		{"SendMessage", `{q},"MessageBody":"a\uffff"`, refused{400, "InvalidMessageContents", "Invalid binary character '#xFFFF' was found in the message body, " +
			"the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."}},
		{"SendMessage", `{q},"MessageBody":"x","DelaySeconds":901`, refused{400, value, "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."}},
		{"SendMessage", `{f.fifo},"MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"d","DelaySeconds":2`,
			refused{400, value, "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."}},
		{"SendMessage", `{f.fifo},"MessageBody":"x","MessageDeduplicationId":"d"`, refused{400, missing, "The request must contain the parameter MessageGroupId."}},
		{"SendMessage", `{f.fifo},"MessageBody":"x","MessageGroupId":"g"`,
			refused{400, value, "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"}},
		{"SendMessage", `{f.fifo},"MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":""`, token("", "MessageDeduplicationId")},
		{"SendMessage", `{f.fifo},"MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"a b"`, token("a b", "MessageDeduplicationId")},
		{"SendMessage", `{f.fifo},"MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"` + long + `"`, token(long, "MessageDeduplicationId")},
		{"SendMessage", `{q},"MessageBody":"x","MessageGroupId":""`, token("", "MessageGroupId")},
		{"SendMessage", `{q},"MessageBody":"x","MessageGroupId":"group 1"`, token("group 1", "MessageGroupId")},
		{"SendMessage", `{q},"MessageBody":"x","MessageDeduplicationId":"d"`,
			refused{400, value, "Value d for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not valid for this queue type."}},
		{"SendMessage", `{small},"MessageBody":"` + strings.Repeat("x", 1025) + `"`,
			refused{400, value, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."}},
		{"SendMessage", `{q},"MessageBody":"` + strings.Repeat("x", 1<<20+1) + `"`,
			refused{400, value, "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."}},

		{"SendMessage", attribute("", `"DataType":"String","StringValue":"x"`), refused{400, value, "The request must contain non-empty message (user) attribute names."}},
		{"SendMessage", attribute(long, `"DataType":"String","StringValue":"x"`), refused{400, value, "Message (user) attribute name must be shorter than 256 bytes."}},
		{"SendMessage", attribute("a b", `"DataType":"String","StringValue":"x"`),
			refused{400, value, "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens and underscores. "}},
		{"SendMessage", attribute("aWs.x", `"DataType":"String","StringValue":"x"`),
			refused{400, value, "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use."}},
		{"SendMessage", attribute("x.", `"DataType":"String","StringValue":"x"`), refused{400, value,
			"You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use. Additionally, they cannot start or end with '.'."}},
		{"SendMessage", attribute("a", ``), refused{400, value, "The message (user) attribute 'a' must contain a non-empty message attribute value."}},
		{"SendMessage", attribute("a", `"StringValue":"x"`), refused{400, value, "Message (user) attribute 'a' must contain a non-empty attribute type."}},
		{"SendMessage", attribute("a", `"DataType":"String.`+long+`","StringValue":"x"`), refused{400, value, "Message (user) attribute type must be shorter than 256 bytes."}},
		{"SendMessage", attribute("a", `"DataType":"Text","StringValue":"x"`), refused{400, value,
			"The type of message (user) attribute 'a' is invalid. You must use only the following supported type prefixes: Binary, Number, String."}},
		{"SendMessage", attribute("a", `"DataType":"String","StringValue":""`), refused{400, value, "Message (user) attribute 'a' must contain a non-empty value of type 'String'."}},
		{"SendMessage", attribute("a", `"DataType":"Binary.png","StringValue":"x"`), refused{400, value, "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'."}},
		{"SendMessage", attribute("a", `"DataType":"String","StringValue":"\u0008"`), refused{400, value, "Invalid binary character '#x8' was found in the message (user) attribute 'a', " +
			"the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."}},
		{"SendMessage", attribute("a", `"DataType":"Number.int","StringValue":"one"`), refused{400, value, "Can't cast the value of message (user) attribute 'a' to a number."}},
		{"SendMessage", attribute("a", `"DataType":"StringList","StringListValues":["x"]`), refused{400, "AWS.SimpleQueueService.UnsupportedOperation",
			"Message attribute list values in SendMessage operation are not supported."}},
		{"SendMessage", eleven + `}`, refused{400, value, "Number of message attributes [11] exceeds the allowed maximum [10]."}},
		{"SendMessage", `{q},"MessageBody":"x","MessageSystemAttributes":{"Foo":{"DataType":"String","StringValue":"x"}}`,
			refused{400, value, "Message system attribute name 'Foo' is invalid."}},
		{"SendMessage", `{nowhere},"MessageBody":"x"`, refused{400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}},
	})
	must(t, h, "SendMessage", attribute("attr.1øßä", `"DataType":"String","StringValue":"x","StringListValues":[]`))
	must(t, h, "SendMessage", `{f.fifo},"MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"d","DelaySeconds":0`)
}

func TestWordsOfReceiving(t *testing.T) {
	h := queues(t)
	checkSayings(t, h, []saying{
		{"ReceiveMessage", `{q},"MaxNumberOfMessages":11`, refused{400, value, "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."}},
		{"ReceiveMessage", `{q},"MaxNumberOfMessages":0`, refused{400, value, "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."}},
		{"ReceiveMessage", `{q},"WaitTimeSeconds":21`, refused{400, value, "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."}},
		{"ReceiveMessage", `{q},"WaitTimeSeconds":-1`, refused{400, value, "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."}},
		{"ReceiveMessage", `{q},"VisibilityTimeout":43201`, refused{400, value, "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."}},
		{"ReceiveMessage", `{q},"AttributeNames":["Colour"]`, refused{400, "InvalidAttributeName", "Unknown Attribute Colour."}},
		{"ReceiveMessage", `{f.fifo},"ReceiveRequestAttemptId":"a b"`, refused{400, value, "Value a b for parameter ReceiveRequestAttemptId is invalid. " +
			"Reason: ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length."}},
		{"ReceiveMessage", `{nowhere}`, refused{400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}},
	})
	must(t, h, "ReceiveMessage", `{q},"ReceiveRequestAttemptId":"ignored"`)
}

func TestWordsOfReceipts(t *testing.T) {
	h := queues(t)
	must(t, h, "SendMessage", `{q},"MessageBody":"x"`)
	must(t, h, "SendMessage", `{other},"MessageBody":"x"`)
	must(t, h, "SendMessage", `{content.fifo},"MessageBody":"x","MessageGroupId":"g"`)
	gone := receive(t, h, "q", "")
	must(t, h, "DeleteMessage", `{q},"ReceiptHandle":"`+gone+`"`)
	must(t, h, "DeleteMessage", `{q},"ReceiptHandle":"`+gone+`"`)
	held := receive(t, h, "other", "")
	old := receive(t, h, "content.fifo", `,"VisibilityTimeout":0`)
	receive(t, h, "content.fifo", `,"WaitTimeSeconds":1`)

	invalid := func(handle string) refused {
		return refused{404, "ReceiptHandleIsInvalid", `The input receipt handle "` + handle + `" is not a valid receipt handle.`}
	}
	unavailable := refused{400, value, "Value " + gone + " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."}
	checkSayings(t, h, []saying{
		{"DeleteMessage", `{q}`, refused{400, missing, "The request must contain the parameter ReceiptHandle."}},
		{"DeleteMessage", `{q},"ReceiptHandle":"garbage"`, invalid("garbage")},
		{"DeleteMessage", `{q},"ReceiptHandle":"` + held + `"`, invalid(held)},
		{"DeleteMessage", `{content.fifo},"ReceiptHandle":"` + old + `"`, refused{400, value, "Value " + old + " for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."}},
		{"ChangeMessageVisibility", `{q},"ReceiptHandle":"garbage","VisibilityTimeout":1`, invalid("garbage")},
		{"ChangeMessageVisibility", `{q},"ReceiptHandle":"` + gone + `","VisibilityTimeout":42`, unavailable},
		{"ChangeMessageVisibility", `{q},"ReceiptHandle":"` + gone + `"`, refused{400, missing, "The request must contain the parameter VisibilityTimeout."}},
		{"ChangeMessageVisibility", `{q},"ReceiptHandle":"garbage","VisibilityTimeout":43201`,
			refused{400, value, "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200."}},
	})
	must(t, h, "ChangeMessageVisibility", `{other},"ReceiptHandle":"`+held+`","VisibilityTimeout":60`)
}

func TestWordsOfQueues(t *testing.T) {
	h := queues(t)
	many := make([]string, 51)
	for i := range many {
		many[i] = `"` + strings.Repeat("k", i+1) + `":""`
	}
	tags := "{" + strings.Join(many, ",") + "}"
	name := "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
	checkSayings(t, h, []saying{
		{"CreateQueue", ``, refused{400, value, "Value for parameter QueueName is invalid. Reason: Must specify a queue name."}},
		{"CreateQueue", `"QueueName":""`, refused{400, value, "Queue name cannot be empty"}},
		{"CreateQueue", `"QueueName":"a/b"`, refused{400, value, name}},
		{"CreateQueue", `"QueueName":"` + strings.Repeat("a", 81) + `"`, refused{400, value, name}},
		{"CreateQueue", `"QueueName":"a.fifo"`, refused{400, value, name}},
		{"CreateQueue", `"QueueName":"a","Attributes":{"FifoQueue":"true"}`, refused{400, value,
			"The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."}},
		{"CreateQueue", `"QueueName":"a.fifo","Attributes":{"FifoQueue":"false"}`, refused{400, "InvalidAttributeName", "Unknown Attribute FifoQueue."}},
		{"CreateQueue", `"QueueName":"small","Attributes":{"MaximumMessageSize":"2048"}`, refused{400, "QueueAlreadyExists",
			"A queue already exists with the same name and a different value for attribute MaximumMessageSize"}},
		{"CreateQueue", `"QueueName":"f.fifo","Attributes":{"FifoQueue":"true","ContentBasedDeduplication":"true"}`, refused{400, "QueueAlreadyExists",
			"A queue already exists with the same name and a different value for attribute ContentBasedDeduplication"}},
		{"CreateQueue", `"QueueName":"a","tags":` + tags, refused{400, value, "Too many tags added for queue a."}},
		{"GetQueueUrl", `"QueueName":""`, refused{400, value, "Value for parameter QueueName is invalid. Reason: Must specify a queue name."}},
		{"GetQueueUrl", `"QueueName":"nowhere"`, refused{400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}},
		{"ListQueues", `"MaxResults":1001`, refused{400, value, "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."}},
		{"ListQueues", `"MaxResults":-1`, refused{400, value, "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."}},
		{"ListQueues", `"NextToken":"*"`, refused{400, value, "Invalid or expired next token."}},
		{"ListDeadLetterSourceQueues", `{q},"NextToken":"*"`, refused{400, value, "Invalid or expired next token."}},
		{"TagQueue", `{q},"Tags":{}`, refused{400, missing, "The request must contain the parameter Tags."}},
		{"TagQueue", `{q},"Tags":{"":"x"}`, refused{400, value, "Tag keys must be between 1 and 128 characters in length."}},
		{"TagQueue", `{q},"Tags":{"k":"` + strings.Repeat("é", 257) + `"}`, refused{400, value, "Tag values must be between 0 and 256 characters in length."}},
		{"TagQueue", `{q},"Tags":` + tags, refused{400, value, "Too many tags added for queue q."}},
		{"UntagQueue", `{q},"TagKeys":[]`, refused{400, value, "Tag keys must be between 1 and 128 characters in length."}},
		{"UntagQueue", `{q},"TagKeys":["` + strings.Repeat("k", 129) + `"]`, refused{400, value, "Tag keys must be between 1 and 128 characters in length."}},
		{"TagQueue", `{nowhere},"Tags":{"a":"b"}`, refused{400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}},
	})
	must(t, h, "PurgeQueue", `{q}`)
	must(t, h, "DeleteQueue", `{other}`)
	checkSayings(t, h, []saying{
		{"PurgeQueue", `{q}`, refused{403, "AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on q is allowed every 60 seconds."}},
		{"CreateQueue", `"QueueName":"other"`, refused{400, "AWS.SimpleQueueService.QueueDeletedRecently",
			"You must wait 60 seconds after deleting a queue before you can create another with the same name."}},
		{"DeleteQueue", `{other}`, refused{400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}},
	})
	if got := must(t, h, "ListQueueTags", `{q}`); got != `{}` {
		t.Errorf("tags of a queue whose tags were refused: %s", got)
	}
	// The same queue again, with as much as is known of it.
	must(t, h, "CreateQueue", `"QueueName":"small"`)
	must(t, h, "CreateQueue", `"QueueName":"small","Attributes":{"MaximumMessageSize":"1024","VisibilityTimeout":"30"}`)
	must(t, h, "UntagQueue", `{q},"TagKeys":["not there"]`)
}

// Pages go on where the last ended, and a token needs no MaxResults.
func TestPages(t *testing.T) {
	h := queues(t)
	var got struct {
		QueueUrls []string
		NextToken string
	}
	read := func(body string) int {
		got.QueueUrls, got.NextToken = nil, ""
		if err := json.Unmarshal([]byte(must(t, h, "ListQueues", body)), &got); err != nil {
			t.Fatal(err)
		}
		return len(got.QueueUrls)
	}
	if n := read(`"MaxResults":4`); n != 4 || got.NextToken == "" {
		t.Fatalf("first page: %d queues, token %q", n, got.NextToken)
	}
	if n := read(`"NextToken":"` + got.NextToken + `"`); n != 3 || got.NextToken != "" {
		t.Fatalf("second page: %d queues, token %q", n, got.NextToken)
	}
	if n := read(`"MaxResults":0`); n != 7 || got.NextToken != "" {
		t.Fatalf("MaxResults 0: %d queues, token %q", n, got.NextToken)
	}
}
