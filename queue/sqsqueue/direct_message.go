package sqsqueue

import (
	"context"
	"strconv"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/dayfly-dev/dayfly/queue/driver"
)

// send stores at most batchSize messages; false if the SDK is to do it. What fails
// of a single one is left to it, whose request for one has other errors.
func (d *direct) send(ctx context.Context, url string, fifo bool, m []driver.Outgoing) ([]driver.Sent, error, bool) {
	if d == nil {
		return nil, nil, false
	}
	size := 128 + len(url)
	for i := range m {
		if len(m[i].Attributes) > 0 || len(m[i].System) > 0 {
			return nil, nil, false
		}
		size += 128 + len(m[i].Body) + len(m[i].Body)/4
	}
	b := beginBatch(make([]byte, 0, size), url)
	for i := range m {
		b = beginEntry(b, i)
		b = appendMember(b, "MessageBody", m[i].Body)
		if m[i].Delay >= 0 && !fifo {
			b = append(b, `,"DelaySeconds":`...)
			b = strconv.AppendInt(b, int64(seconds(m[i].Delay)), 10)
		}
		if m[i].GroupID != "" {
			b = appendMember(b, "MessageGroupId", m[i].GroupID)
		}
		if m[i].DedupID != "" {
			b = appendMember(b, "MessageDeduplicationId", m[i].DedupID)
		}
		b = append(b, '}')
	}
	var reply batchReply
	if !d.do(ctx, "SendMessageBatch", append(b, "]}"...), reply.decode) || len(m) == 1 && len(reply.Successful) == 0 {
		return nil, nil, false
	}
	sent, err := reply.sent(len(m))
	return sent, err, true
}

// receive hands out messages; false if the SDK is to do it.
func (d *direct) receive(ctx context.Context, url string, o *driver.ReceiveOptions) ([]driver.Message, bool) {
	if d == nil {
		return nil, false
	}
	b := append(make([]byte, 0, 256+len(url)), '{')
	b = appendString(append(b, `"QueueUrl":`...), url)
	b = append(b, `,"MaxNumberOfMessages":`...)
	b = strconv.AppendInt(b, int64(o.Max), 10)
	b = append(b, `,"MessageSystemAttributeNames":["All"],"MessageAttributeNames":["All"]`...)
	if o.AttemptID != "" {
		b = appendMember(b, "ReceiveRequestAttemptId", o.AttemptID)
	}
	if o.Visibility >= 0 {
		b = append(b, `,"VisibilityTimeout":`...)
		b = strconv.AppendInt(b, int64(seconds(o.Visibility)), 10)
	}
	if o.Wait >= 0 {
		b = append(b, `,"WaitTimeSeconds":`...)
		b = strconv.AppendInt(b, int64(seconds(o.Wait)), 10)
	}
	var got []driver.Message
	ok := d.do(ctx, "ReceiveMessage", append(b, '}'), func(text []byte) (ok bool) {
		got, ok = decodeMessages(text)
		return ok
	})
	return got, ok
}

// delete removes at most batchSize messages; false if the SDK is to do it. Entries
// that fail are numbered from first.
func (d *direct) delete(ctx context.Context, url string, receipts []string, first int) ([]types.BatchResultErrorEntry, bool) {
	return d.change(ctx, "DeleteMessageBatch", url, len(receipts), first, func(b []byte, i int) []byte {
		return appendMember(b, "ReceiptHandle", receipts[i])
	})
}

// changeVisibility is likewise. That a message was given back is told to an
// endpoint that has said it is dayfly's, which SQS would pass over.
func (d *direct) changeVisibility(ctx context.Context, url string, c []driver.VisibilityChange, first int) ([]types.BatchResultErrorEntry, bool) {
	return d.change(ctx, "ChangeMessageVisibilityBatch", url, len(c), first, func(b []byte, i int) []byte {
		b = appendMember(b, "ReceiptHandle", c[i].Receipt)
		b = strconv.AppendInt(append(b, `,"VisibilityTimeout":`...), int64(seconds(c[i].Visibility)), 10)
		if c[i].GivenBack && d.entries.Load() > 0 {
			b = append(b, `,"GivenBack":true`...)
		}
		return b
	})
}

// change makes a request of n entries that may fail one by one. What is about
// a single one fails as a whole in the SDK's request for one, and is left to it.
func (d *direct) change(ctx context.Context, operation, url string, n, first int, entry func([]byte, int) []byte) ([]types.BatchResultErrorEntry, bool) {
	if d == nil {
		return nil, false
	}
	b := beginBatch(make([]byte, 0, 128+len(url)+n*256), url)
	for i := range n {
		b = append(entry(beginEntry(b, first+i), i), '}')
	}
	var reply batchReply
	if !d.do(ctx, operation, append(b, "]}"...), reply.decode) || len(reply.Successful)+len(reply.Failed) != n || n == 1 && len(reply.Failed) > 0 {
		return nil, false
	}
	var failed []types.BatchResultErrorEntry
	for i := range reply.Failed {
		f := &reply.Failed[i]
		failed = append(failed, types.BatchResultErrorEntry{Id: &f.Id, Code: &f.Code, Message: &f.Message})
	}
	return failed, true
}

func beginBatch(b []byte, url string) []byte {
	b = appendString(append(b, `{"QueueUrl":`...), url)
	return append(b, `,"Entries":[`...)
}

// beginEntry begins an entry named by its number.
func beginEntry(b []byte, i int) []byte {
	if b[len(b)-1] != '[' {
		b = append(b, ',')
	}
	b = strconv.AppendInt(append(b, `{"Id":"`...), int64(i), 10)
	return append(b, '"')
}

func appendMember(b []byte, name, value string) []byte {
	b = append(append(b, `,"`...), name...)
	return appendString(append(b, `":`...), value)
}

// appendString appends a JSON string. What is not UTF-8 becomes U+FFFD, as the
// SDK has it.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else {
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
