package sqsserver_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var fuzzed = []string{
	"CreateQueue", "GetQueueUrl", "ListQueues", "ListDeadLetterSourceQueues", "GetQueueAttributes", "SetQueueAttributes",
	"TagQueue", "UntagQueue", "ListQueueTags", "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage",
	"DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "PurgeQueue", "Nonsense",
	"AddPermission", "RemovePermission", "StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask",
}

// resultless are the actions that answer with nothing.
var resultless = []string{
	"SetQueueAttributes", "TagQueue", "UntagQueue", "DeleteMessage", "ChangeMessageVisibility", "PurgeQueue", "AddPermission", "RemovePermission",
}

// FuzzHandler: whatever is posted, the answer is JSON, or nothing where the action
// has no result, and no fault of ours.
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
		name := fuzzed[int(action)%len(fuzzed)]
		w := post(h, name, body)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code == 200 && slices.Contains(resultless, name) {
			if w.Body.Len() > 0 {
				t.Fatalf("%s has no result, and it answered %q", name, w.Body)
			}
		} else if !json.Valid(w.Body.Bytes()) || !utf8.Valid(w.Body.Bytes()) {
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

// FuzzQuery: whatever form is sent, the answer is XML that says it is one of
// the action, or an error, and no fault of ours.
func FuzzQuery(f *testing.F) {
	for i := range fuzzed {
		f.Add(byte(i), "QueueUrl=http%3A%2F%2Fh%2F000000000000%2Fq&QueueName=a&Attribute.1.Name=DelaySeconds&Attribute.1.Value=1&AttributeName.1=All&"+
			"Tag.1.Key=a&Tag.1.Value=b&TagKey.1=a&MessageBody=h%C3%A9+&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=Binary&"+
			"MessageAttribute.1.Value.BinaryValue=AA%3D%3D&ReceiptHandle=x&VisibilityTimeout=0&Label=l&AWSAccountId.1=1&ActionName.1=*&SourceArn=a&TaskHandle=a&"+
			fuzzed[i]+"RequestEntry.1.Id=a&"+fuzzed[i]+"RequestEntry.1.MessageBody=x&"+fuzzed[i]+"RequestEntry.999999999.VisibilityTimeout=1")
	}
	f.Add(byte(4), "AttributeName=All&AttributeName.1=x&AttributeName.member.1=y&AttributeName.-1.=&.=.&%41=&&=")
	f.Add(byte(5), "Attribute.Name=Policy&Attribute.Value=%7B%7D&Attribute.1.Value=x&Attribute.1.Name.Name=&MaxResults=%2B007")
	h := handler(f)
	f.Fuzz(func(t *testing.T, action byte, form string) {
		if plain, _ := url.QueryUnescape(form); strings.Contains(plain, "WaitTime") || strings.Contains(form, "WaitTime") || strings.Contains(form, "%57") {
			return // a long poll would only wait
		}
		name := fuzzed[int(action)%len(fuzzed)]
		w := ask(h, "POST", "/000000000000/q", "Action="+name+"&"+form)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		want := name + "Response"
		if w.Code != 200 {
			want = "ErrorResponse"
		}
		if root := rootOf(t, w.Body.String()); root != want {
			t.Fatalf("%d and <%s>; want <%s>", w.Code, root, want)
		}
	})
}

// rootOf reads a whole document and returns the name of its root.
func rootOf(t *testing.T, document string) string {
	t.Helper()
	root := ""
	for d := xml.NewDecoder(strings.NewReader(document)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root
		}
		if err != nil {
			t.Fatalf("the answer is not XML: %v in %q", err, document)
		}
		if start, ok := token.(xml.StartElement); ok && root == "" {
			root = start.Name.Local
		}
	}
}

// FuzzBody: a body that is taken comes back as it was, through form and XML.
func FuzzBody(f *testing.F) {
	for _, body := range []string{"hello", "a&b=c;d+e%41", "<![CDATA[ ]]>&amp;", "\r\n\t\r", "h\u00e9\u4e16\U0001f680\u2028\ufffd", "\"\\\\u0041", "\x00", "\xff", "\uffff"} {
		f.Add(body)
	}
	h := handler(f)
	f.Fuzz(func(t *testing.T, body string) {
		sent := ask(h, "POST", "/000000000000/q", "Action=SendMessage&MessageBody="+url.QueryEscape(body))
		rootOf(t, sent.Body.String())
		if sent.Code != 200 {
			if sent.Code != 400 || utf8.ValidString(body) && body != "" && !strings.ContainsFunc(body, forbidden) {
				t.Fatalf("%q is not taken: %d %s", body, sent.Code, sent.Body)
			}
			return
		}
		var got struct {
			Body   string `xml:"ReceiveMessageResult>Message>Body"`
			Handle string `xml:"ReceiveMessageResult>Message>ReceiptHandle"`
		}
		if err := xml.Unmarshal(ask(h, "POST", "/000000000000/q", "Action=ReceiveMessage").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Body != body {
			t.Fatalf("%q came back as %q", body, got.Body)
		}
		if w := ask(h, "POST", "/000000000000/q", "Action=DeleteMessage&ReceiptHandle="+url.QueryEscape(got.Handle)); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

// forbidden reports the characters that no body may have.
func forbidden(c rune) bool {
	return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF
}
