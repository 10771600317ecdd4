package sqsqueue

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzReceiveReply: what the scanner takes is what encoding/json makes of it.
func FuzzReceiveReply(f *testing.F) {
	for text, taken := range receiveReplies {
		f.Add([]byte(text))
		if _, ok := scanMessages([]byte(text)); ok != taken {
			f.Errorf("scanned: %v, want %v, of %s", ok, taken, text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := scanMessages(text)
		if !ok {
			return
		}
		var reply receiveReply
		if err := json.Unmarshal(text, &reply); err != nil {
			t.Fatalf("%s: scanned as %+v; encoding/json says %v", text, got, err)
		}
		if d := cmp.Diff(reply.messages(), got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-json +scanned):\n%s", text, d)
		}
	})
}

// receiveReplies, and whether the scanner is to take them.
var receiveReplies = map[string]bool{
	`{}`:                     true,
	` { "Messages" : [ ] } `: true,
	`{"Messages":[{"MessageId":"a","ReceiptHandle":"b==","MD5OfBody":"0123","Body":"{\"a\":\"\\u00e9 é\"}\n\t\/",` +
		`"Attributes":{"SenderId":"0","SentTimestamp":"1790000000000","ApproximateReceiveCount":"3","ApproximateFirstReceiveTimestamp":"1790000000001",` +
		`"SequenceNumber":"18","MessageDeduplicationId":"d","MessageGroupId":"g"}}]}`: true,
	`{"Messages":[{"Body":"\u00e9\u2028\ufffd"},{"Body":""}]}`:                              true,
	`{"Messages":[{"Body":"\ud83d\ude00"}]}`:                                                false, // a pair
	`{"Messages":[{"Body":"\ud83d"}]}`:                                                      false, // half a character
	"{\"Messages\":[{\"Body\":\"\xff\"}]}":                                                  false,
	"{\"Messages\":[{\"Body\":\"\n\"}]}":                                                    false,
	`{"Messages":[{"Body":"a","Body":"b"}]}`:                                                false,
	`{"Messages":[{"body":"a"}]}`:                                                           false,
	`{"Messages":[{"Body":null}]}`:                                                          false,
	`{"Messages":[{"Body":"\x"}]}`:                                                          false,
	`{"Messages":[{"Body":"\u12"}]}`:                                                        false,
	`{"Messages":[{"Body":"a"},]}`:                                                          false,
	`{"Messages":[{"Body":"a"}]}{}`:                                                         false,
	`{"Messages":null}`:                                                                     false,
	`{"Messages":[{"Attributes":{"SentTimestamp":"-1"}}]}`:                                  false,
	`{"Messages":[{"Attributes":{"SentTimestamp":1}}]}`:                                     false,
	`{"Messages":[{"Attributes":{"AWSTraceHeader":"Root=1"}}]}`:                             false,
	`{"Messages":[{"MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AAE="}}}]}`: false,
	`{"Messages":[{},{},{},{},{},{},{},{},{},{}]}`:                                          true,
	`{"Messages":[{},{},{},{},{},{},{},{},{},{},{}]}`:                                       false,
	`{"Messages":[{"Attributes":{"DeadLetterQueueSourceArn":"arn:aws:sqs:us-east-1:000000000000:default"}}]}`: false,
}

// FuzzBatchReply is likewise.
func FuzzBatchReply(f *testing.F) {
	for text, taken := range map[string]bool{
		`{}`:                            true,
		`{"Successful":[{"Id":"0"}]}`:   true,
		`{"Failed":[],"Successful":[]}`: true,
		`{"Successful":[{"Id":"0","MessageId":"a","MD5OfMessageBody":"0","SequenceNumber":"1"},{"Id":"1","MessageId":"b"}]}`: true,
		`{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","SenderFault":true,"Code":"c","Message":"m"}]}`:                      false,
		`{"Successful":[{"Id":"0","MD5OfMessageAttributes":"0"}]}`:                                                           false,
		`{"Successful":[{"Id":0}]}`: false,
		`{"Successful":[{"Id":"0"}`: false,
		`<html>`:                    false,
		"{}\x00":                    false,
	} {
		f.Add([]byte(text))
		if ok := new(batchReply).scan([]byte(text)); ok != taken {
			f.Errorf("scanned: %v, want %v, of %s", ok, taken, text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, want batchReply
		if !got.scan(text) {
			return
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%s: scanned as %+v; encoding/json says %v", text, got, err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-json +scanned):\n%s", text, d)
		}
	})
}

// FuzzAppendString: what is sent is what encoding/json would have sent.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\r\t\x00\x1f\x7f", "é\u2028\ufffe", "\xff\xc3", "\U0001f600", "</&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		if json.Unmarshal(text, &want) != nil || json.Unmarshal(appendString(nil, s), &got) != nil || got != want {
			t.Errorf("%q is written %s, read %q; want %q", s, appendString(nil, s), got, want)
		}
	})
}

// FuzzPlainHead: a head that is read without net/http is read as net/http does.
func FuzzPlainHead(f *testing.F) {
	for head, plain := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n":                                     true,
		"HTTP/1.1 200 OK\r\ncontent-length:\t2 \r\nDate: Sat, 21 Nov 2026\r\n\r\n":         true,
		"HTTP/1.1 200 OK\r\n\r\n":                                                          false,
		"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n":                                     false,
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n":                    false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n":                false,
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n":                              false,
		"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n":                                    false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n":                false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n":       false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n folded\r\n\r\n":                          false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length : 3\r\n\r\n":               false,
		"HTTP/1.1 200 OK\r\nX: a\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n": false,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Dayfly-Entries: 100\r\n\r\n":            true,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Dayfly-Entries: -1\r\n\r\n":             true,
	} {
		f.Add([]byte(head))
		if _, _, ok := plainHead([]byte(head)); ok != plain {
			f.Errorf("plain: %v, want %v: %q", ok, plain, head)
		}
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		i := bytes.Index(head, []byte("\r\n\r\n"))
		if i < 0 || i+4 != len(head) {
			return
		}
		length, entries, ok := plainHead(head)
		if !ok {
			return
		}
		r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
		if err != nil {
			t.Fatalf("%q: net/http says %v", head, err)
		}
		if r.StatusCode != http.StatusOK || r.ContentLength != int64(length) || r.Close || r.TransferEncoding != nil {
			t.Errorf("%q: length %d; net/http says %+v", head, length, r)
		}
		if n, _ := strconv.Atoi(r.Header.Get(entriesHeader)); entries < 0 || entries > largeBatch || len(r.Header.Values(entriesHeader)) == 1 && entries > max(n, 0) {
			t.Errorf("%q: %d entries", head, entries)
		}
	})
}
