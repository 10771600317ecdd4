package sqsserver_test

import "testing"

// Actions without a result answer with no body at all, and say so; that SQS does
// is in the recordings of gocloud.dev's tests (awssnssqs, 2026).
func TestRepliesWithoutResult(t *testing.T) {
	h := queues(t)
	must(t, h, "SendMessage", `{q},"MessageBody":"x"`)
	handle := receive(t, h, "q", "")
	for _, c := range [][2]string{
		{"SetQueueAttributes", `{q},"Attributes":{"DelaySeconds":"0"}`}, {"TagQueue", `{q},"Tags":{"a":"b"}`}, {"UntagQueue", `{q},"TagKeys":["a"]`},
		{"AddPermission", `{q},"Label":"l","AWSAccountIds":["123456789012"],"Actions":["*"]`}, {"RemovePermission", `{q},"Label":"l"`},
		{"ChangeMessageVisibility", `{q},"ReceiptHandle":"` + handle + `","VisibilityTimeout":9`}, {"DeleteMessage", `{q},"ReceiptHandle":"` + handle + `"`},
		{"PurgeQueue", `{q}`}, {"DeleteQueue", `{q}`},
	} {
		w := post(h, c[0], on(c[1]))
		if got := w.Header(); w.Code != 200 || w.Body.Len() > 0 || got.Get("Content-Length") != "0" || got.Get("Content-Type") != "application/x-amz-json-1.0" {
			t.Errorf("%s: %d %q %v", c[0], w.Code, w.Body, got)
		}
	}
}
