package sqsserver_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Everything here goes over loopback, signed and verified, to the engine on
// disk, which syncs before it answers. BenchmarkSDK has aws-sdk-go-v2 for its
// client, BenchmarkRaw one that sends requests signed beforehand, so that it
// measures the server. An operation is a message.

var clients = []int{1, 16, 64}

var benchBody = strings.Repeat("x", 200)

// share runs do on so many goroutines until it was called for n messages,
// step at a time.
func share(b *testing.B, workers, n, step int, do func(worker int)) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	begun := cpu()
	b.ResetTimer()
	for w := range workers {
		wg.Go(func() {
			for left.Add(-int64(step)) > -int64(step) && !b.Failed() {
				do(w)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64((cpu()-begun).Nanoseconds())/1000/float64(n), "cpu-µs/message")
	b.ReportMetric(0, "ns/op")
}

// cpu is the processor time of client and server so far. On a machine that
// others use too it says more than the clock.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSDK(b *testing.B) {
	for _, n := range clients {
		b.Run(fmt.Sprintf("send/%d", n), func(b *testing.B) { benchSDK(b, n, 1, false) })
		b.Run(fmt.Sprintf("receive+delete/%d", n), func(b *testing.B) { benchSDK(b, n, 1, true) })
		b.Run(fmt.Sprintf("send10/%d", n), func(b *testing.B) { benchSDK(b, n, 10, false) })
		b.Run(fmt.Sprintf("receive10+delete10/%d", n), func(b *testing.B) { benchSDK(b, n, 10, true) })
	}
}

func benchSDK(b *testing.B, workers, step int, consume bool) {
	e := listen(b)
	c := e.client()
	o := c.Options()
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	defer transport.CloseIdleConnections() // those never used would hold up the server's shutdown
	o.HTTPClient = &http.Client{Transport: transport}
	c = sqs.New(o)
	ctx := context.Background()
	out, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("bench")})
	if err != nil {
		b.Fatal(err)
	}
	send := func(int) { sdkSend(b, c, out.QueueUrl, step) }
	if !consume {
		share(b, workers, b.N, step, send)
		return
	}
	fill(b, e.url, "bench", b.N)
	share(b, workers, b.N, step, func(int) { sdkConsume(b, c, out.QueueUrl, step) })
}

func sdkSend(b *testing.B, c *sqs.Client, url *string, step int) {
	var err error
	if step == 1 {
		_, err = c.SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &benchBody})
	} else {
		in := &sqs.SendMessageBatchInput{QueueUrl: url}
		for i := range step {
			in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &benchBody})
		}
		_, err = c.SendMessageBatch(context.Background(), in)
	}
	if err != nil {
		b.Error(err)
	}
}

func sdkConsume(b *testing.B, c *sqs.Client, url *string, step int) {
	got, err := c.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: int32(step)})
	if err != nil || len(got.Messages) == 0 {
		if err != nil {
			b.Error(err)
		}
		return // the last ones were received by others
	}
	if step == 1 {
		_, err = c.DeleteMessage(context.Background(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: got.Messages[0].ReceiptHandle})
	} else {
		in := &sqs.DeleteMessageBatchInput{QueueUrl: url}
		for i, m := range got.Messages {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
		}
		_, err = c.DeleteMessageBatch(context.Background(), in)
	}
	if err != nil {
		b.Error(err)
	}
}

func BenchmarkRaw(b *testing.B) {
	for _, n := range clients {
		b.Run(fmt.Sprintf("send/%d", n), func(b *testing.B) { benchRawSend(b, n, 1) })
		b.Run(fmt.Sprintf("receive/%d", n), func(b *testing.B) { benchRawReceive(b, n, 1) })
		b.Run(fmt.Sprintf("delete/%d", n), func(b *testing.B) { benchRawDelete(b, n, 1) })
		b.Run(fmt.Sprintf("send10/%d", n), func(b *testing.B) { benchRawSend(b, n, 10) })
		b.Run(fmt.Sprintf("receive10/%d", n), func(b *testing.B) { benchRawReceive(b, n, 10) })
		b.Run(fmt.Sprintf("delete10/%d", n), func(b *testing.B) { benchRawDelete(b, n, 10) })
	}
}

// raw is a connection that sends prepared requests.
type raw struct {
	b *testing.B
	c net.Conn
	r *bufio.Reader
}

func dial(b *testing.B, url string) *raw {
	b.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return &raw{b, c, bufio.NewReaderSize(c, 64<<10)}
}

// do sends a request and returns the reply's body, valid until the next.
func (r *raw) do(request []byte, body []byte) []byte {
	if _, err := r.c.Write(request); err != nil {
		r.b.Error(err)
		return nil
	}
	length := -1
	for first := true; ; first = false {
		line, err := r.r.ReadSlice('\n')
		if err != nil {
			r.b.Error(err)
			return nil
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			rest, _ := r.r.Peek(min(r.r.Buffered(), 1000))
			r.b.Errorf("%s%s", line, rest)
			return nil
		}
		if len(line) == 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
		}
	}
	body = append(body[:0], make([]byte, length)...)
	if _, err := io.ReadFull(r.r, body); err != nil {
		r.b.Error(err)
	}
	return body
}

// prepare returns a signed request as bytes.
func prepare(b *testing.B, url, action, body string) []byte {
	r, err := http.NewRequest("POST", url+"/", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	sum := sha256.Sum256([]byte(body))
	creds := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	if err := signer.SignHTTP(context.Background(), creds, r, hex.EncodeToString(sum[:]), "sqs", "us-east-1", time.Now()); err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

var signer = v4.NewSigner()

func argument(url, queue, rest string) string {
	return `{"QueueUrl":"` + url + `/000000000000/` + queue + `"` + rest + `}`
}

func sendRequest(b *testing.B, url, queue string, step int) []byte {
	if step == 1 {
		return prepare(b, url, "SendMessage", argument(url, queue, `,"MessageBody":"`+benchBody+`"`))
	}
	var entries []string
	for i := range step {
		entries = append(entries, fmt.Sprintf(`{"Id":"%d","MessageBody":"%s"}`, i, benchBody))
	}
	return prepare(b, url, "SendMessageBatch", argument(url, queue, `,"Entries":[`+strings.Join(entries, ",")+`]`))
}

// fill makes the queue hold at least n messages.
func fill(b *testing.B, url, queue string, n int) {
	conn := make([]*raw, 16)
	for i := range conn {
		conn[i] = dial(b, url)
	}
	request := sendRequest(b, url, queue, 10)
	var wg sync.WaitGroup
	for i := range conn {
		wg.Go(func() {
			for range (n + 159) / 160 {
				conn[i].do(request, nil)
			}
		})
	}
	wg.Wait()
}

// bench makes the endpoint, its queue and a connection for each worker.
func bench(b *testing.B, workers int) (*endpoint, []*raw) {
	e := listen(b)
	conn := make([]*raw, workers)
	for i := range conn {
		conn[i] = dial(b, e.url)
	}
	conn[0].do(prepare(b, e.url, "CreateQueue", `{"QueueName":"bench"}`), nil)
	return e, conn
}

func benchRawSend(b *testing.B, workers, step int) {
	e, conn := bench(b, workers)
	request := sendRequest(b, e.url, "bench", step)
	share(b, workers, b.N, step, func(w int) { conn[w].do(request, nil) })
}

func receiveRequest(b *testing.B, url, queue string, step int) []byte {
	return prepare(b, url, "ReceiveMessage", argument(url, queue, fmt.Sprintf(`,"MaxNumberOfMessages":%d,"VisibilityTimeout":600`, step)))
}

// full is how many messages of a queue are received: fewer than may be in flight.
const full = 100_000

// fillQueues makes as many queues as hold n messages.
func fillQueues(b *testing.B, e *endpoint, conn *raw, n int) (names []string) {
	for ; n > 0; n -= full {
		name := fmt.Sprintf("bench-%d", len(names))
		conn.do(prepare(b, e.url, "CreateQueue", `{"QueueName":"`+name+`"}`), nil)
		fill(b, e.url, name, min(n, full))
		names = append(names, name)
	}
	return names
}

func benchRawReceive(b *testing.B, workers, step int) {
	e, conn := bench(b, workers)
	var requests [][]byte
	for _, q := range fillQueues(b, e, conn[0], b.N) {
		requests = append(requests, receiveRequest(b, e.url, q, step))
	}
	var next atomic.Int64
	buf := make([][]byte, workers)
	share(b, workers, b.N, step, func(w int) {
		at := int(next.Add(int64(step))) - step
		if buf[w] = conn[w].do(requests[min(at/full, len(requests)-1)], buf[w]); len(buf[w]) < 10 {
			b.Error("nothing received")
		}
	})
}

func benchRawDelete(b *testing.B, workers, step int) {
	e, conn := bench(b, workers)
	var requests [][]byte
	left := b.N
	for _, q := range fillQueues(b, e, conn[0], b.N) {
		n := min(left, full)
		left -= n
		for rest := handles(b, conn[0], e.url, q, n); len(rest) > 0; rest = rest[min(step, len(rest)):] {
			requests = append(requests, deleteRequest(b, e.url, q, rest[:min(step, len(rest))], step))
		}
	}
	var next atomic.Int64
	share(b, workers, b.N, step, func(w int) {
		if i := int(next.Add(1)) - 1; i < len(requests) {
			conn[w].do(requests[i], nil)
		}
	})
}

// handles receives n messages.
func handles(b *testing.B, conn *raw, url, queue string, n int) (list []string) {
	receive := receiveRequest(b, url, queue, 10)
	for len(list) < n && !b.Failed() {
		var got struct {
			Messages []struct{ ReceiptHandle string }
		}
		if err := json.Unmarshal(conn.do(receive, nil), &got); err != nil {
			b.Fatal(err)
		}
		for _, m := range got.Messages {
			list = append(list, m.ReceiptHandle)
		}
	}
	return list[:n]
}

func deleteRequest(b *testing.B, url, queue string, handles []string, step int) []byte {
	if step == 1 {
		return prepare(b, url, "DeleteMessage", argument(url, queue, `,"ReceiptHandle":"`+handles[0]+`"`))
	}
	var entries []string
	for i, h := range handles {
		entries = append(entries, fmt.Sprintf(`{"Id":"%d","ReceiptHandle":"%s"}`, i, h))
	}
	return prepare(b, url, "DeleteMessageBatch", argument(url, queue, `,"Entries":[`+strings.Join(entries, ",")+`]`))
}
