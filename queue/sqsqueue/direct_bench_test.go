package sqsqueue

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// receivedTen is a reply of ten tasks as the embedded queue writes it.
func receivedTen() []byte {
	var b strings.Builder
	b.WriteString(`{"Messages":[`)
	for i := range 10 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"MessageId":"019aa1f0-5c5e-7000-8000-00000000000` + strconv.Itoa(i) + `","ReceiptHandle":"` + strings.Repeat("QUJD", 14) +
			`","MD5OfBody":"0123456789abcdef0123456789abcdef","Body":"{\"specversion\":\"1.0\",\"id\":\"3d7b1f0e-0c0f-4b6e-9d3e-8f4f0c0f4b6e\",` +
			`\"source\":\"dayfly\",\"type\":\"noop\",\"time\":\"2026-11-21T21:00:00.123456789Z\",\"datacontenttype\":\"application/json\",\"data\":{\"i\":12345}}",` +
			`"Attributes":{"SenderId":"000000000000","SentTimestamp":"1795294800123","ApproximateReceiveCount":"1","ApproximateFirstReceiveTimestamp":"1795294800124"}}`)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// BenchmarkReceiveReply: ten messages, read by the scanner and by encoding/json.
func BenchmarkReceiveReply(b *testing.B) {
	text := receivedTen()
	b.Run("scanned", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got, ok := scanMessages(text); !ok || len(got) != 10 {
				b.Fatal(got)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var reply receiveReply
			if err := json.Unmarshal(text, &reply); err != nil || len(reply.messages()) != 10 {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRequest: a request of 3 KB, signed.
func BenchmarkRequest(b *testing.B) {
	d := &direct{host: "127.0.0.1:4566", region: "us-east-1"}
	keys := &aws.Credentials{AccessKeyID: "AKIDDAYFLY", SecretAccessKey: "secret"}
	body := make([]byte, 3<<10)
	out := make([]byte, 0, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		out = d.appendRequest(out[:0], "SendMessageBatch", body, keys)
	}
}
