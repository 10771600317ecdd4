package sqsserver_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

var fuzzed = []string{
	"CreateQueue", "GetQueueUrl", "ListQueues", "ListDeadLetterSourceQueues", "GetQueueAttributes", "SetQueueAttributes",
	"TagQueue", "UntagQueue", "ListQueueTags", "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage",
	"DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "PurgeQueue", "Nonsense",
}

// FuzzHandler: whatever is posted, the answer is JSON, and no fault of ours.
// What is accepted must be JSON to the standard library too.
func FuzzHandler(f *testing.F) {
	for i := range fuzzed {
		f.Add(byte(i), `{`+qURL+`,"QueueName":"a","Attributes":{"DelaySeconds":"1"},"AttributeNames":["All"],"Tags":{"a":"b"},"TagKeys":["a"],`+
			`"MessageBody":"h\u00e9\ud83d\ude80","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AA=="}},"ReceiptHandle":"x","VisibilityTimeout":0,`+
			`"Entries":[{"Id":"a","MessageBody":"x","ReceiptHandle":"y","VisibilityTimeout":1}]}`)
	}
	f.Add(byte(9), `{"a":[1,2.5e-3,true,false,null,{"b":"\\\/\b\f\n\r\t"}]}`)
	h := handler(f)
	f.Fuzz(func(t *testing.T, action byte, body string) {
		if strings.Contains(body, "WaitTime") || strings.Contains(body, "\\u00") {
			return // a long poll would only wait
		}
		w := post(h, fuzzed[int(action)%len(fuzzed)], body)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) || !utf8.Valid(w.Body.Bytes()) {
			t.Fatalf("the answer is not JSON: %q", w.Body)
		}
		if w.Code == 200 && !json.Valid([]byte(body)) {
			t.Fatalf("accepted what is not JSON: %q", body)
		}
		if strings.Contains(w.Body.String(), "SerializationException") && json.Valid([]byte(body)) && plain(body) {
			t.Fatalf("refused JSON: %s", w.Body)
		}
	})
}

// plain reports whether a document is an empty object, or one of members that
// no action knows; these must be skipped whatever they are.
func plain(body string) bool {
	var m map[string]json.RawMessage
	return json.Unmarshal([]byte(body), &m) == nil && m != nil && len(m) == 0
}
