package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
)

// counted is a queue of the embedded SQS server, behind a proxy that counts
// requests that send, and lets them through when open is closed.
type counted struct {
	*queue.Queue
	sends atomic.Int64
	open  chan struct{}
}

func countSends(t *testing.T, a queue.Attributes) *counted {
	t.Helper()
	c := &counted{open: make(chan struct{})}
	behind, err := url.Parse(endpoint(t))
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind); r.Out.Host = r.In.Host },
		ErrorLog: log.New(io.Discard, "", 0)} // of callers that leave
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.SendMessage") {
			c.sends.Add(1)
			<-c.open
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	s := queue.New(sqsqueue.New(sqs.New(sqs.Options{BaseEndpoint: aws.String(h.URL), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", "")}), nil))
	t.Cleanup(func() { s.Close() })
	if err := s.CreateQueue(t.Context(), "q", a, nil); err != nil {
		t.Fatal(err)
	}
	c.Queue = s.Queue("q")
	return c
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after five minutes: %s", what)
		}
	}
}

// TestCallsShareRequests: what is enqueued at once is sent together, and each
// call has its own id and its own error.
func TestCallsShareRequests(t *testing.T) {
	const calls = 60
	for _, apart := range []bool{false, true} {
		t.Run(fmt.Sprintf("apart=%v", apart), func(t *testing.T) {
			q := countSends(t, queue.Attributes{MaxMessageSize: 4096})
			c := NewClient(q.Queue, &ClientOptions{Apart: apart})
			wide := Define("wide", func(context.Context, string) error { return nil })
			left, leave := context.WithCancel(t.Context())
			var all sync.WaitGroup
			errs := make([]error, calls)
			for i := range calls {
				all.Go(func() {
					ctx, text, options := t.Context(), "small", []EnqueueOption(nil)
					switch i {
					case 20:
						text = strings.Repeat("x", 5000)
					case 30:
						options = append(options, Group(" no group "))
					case 40:
						ctx = left
					}
					_, errs[i] = wide.Enqueue(ctx, c, text, options...)
				})
			}
			if !apart {
				eventually(t, "so many requests are under way as hold all calls", func() bool { return q.sends.Load() >= calls/batchSize })
			}
			leave()
			close(q.open)
			all.Wait()
			for i, err := range errs {
				_, invalid := errors.AsType[*queue.InvalidError](err)
				switch {
				case i == 20 && !errors.Is(err, queue.ErrTooLarge), i == 30 && !invalid,
					i != 20 && i != 30 && i != 40 && err != nil:
					t.Errorf("call %d: %v", i, err)
				}
			}
			d, err := q.Describe(t.Context())
			if err != nil || d.Visible < calls-3 || d.Visible > calls-2 {
				t.Errorf("%d messages, %v; want those of %d calls, and perhaps of the one that left", d.Visible, err, calls-3)
			}
			// The one of a wrong group is sent by itself, with what came with it.
			if n := q.sends.Load(); !apart && n > calls/2 || apart && n < calls-3 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestCallLeaves: a call ends with its context, while its request goes on for others.
func TestCallLeaves(t *testing.T) {
	q := countSends(t, queue.Attributes{})
	c := NewClient(q.Queue, nil)
	noop := Define("noop", func(context.Context, int) error { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := noop.Enqueue(ctx, c, 1)
		left <- err
	}()
	eventually(t, "a request is under way", func() bool { return q.sends.Load() == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	close(q.open)
	if _, err := noop.Enqueue(t.Context(), c, 2); err != nil {
		t.Error(err)
	}
}

// TestPollers: as many ask as bring something; two at least as long as something
// comes, else one.
func TestPollers(t *testing.T) {
	var p pollers
	p.init(5)
	round := func(got int) int {
		n := len(p.places)
		for range n {
			if !p.enter(t.Context()) {
				t.Fatal("no place")
			}
		}
		for range n {
			p.leave(got)
		}
		return p.may
	}
	for i, tc := range []struct{ got, want int }{{0, 1}, {1, 2}, {10, 4}, {4, 4}, {5, 5}, {10, 5}, {3, 5}, {2, 2}, {0, 1}, {10, 2}} {
		if n := round(tc.got); n != tc.want || len(p.places) != n {
			t.Errorf("step %d: %d may ask, %d places, after each brought %d; want %d", i, n, len(p.places), tc.got, tc.want)
		}
	}
	p.init(1)
	if n := round(10); n != 1 {
		t.Errorf("%d of one may ask", n)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if p.enter(t.Context()); p.enter(over) {
		t.Error("a place was free")
	}
}
