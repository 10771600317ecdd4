package sqsqueue_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
	"github.com/dayfly-dev/dayfly/queue/drivertest"
	"github.com/dayfly-dev/dayfly/queue/sqsqueue"
)

// plain is the options of a client as an application has it.
func plain(url string) sqs.Options {
	return sqs.Options{BaseEndpoint: aws.String(url), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")}
}

// observed is an endpoint that counts requests by who made them, and answers
// instead when a test says so.
type observed struct {
	*endpoint
	inner       http.Handler
	direct, sdk atomic.Int64
	instead     atomic.Pointer[http.HandlerFunc] // of requests made directly
}

func observe(t *testing.T) *observed {
	o := &observed{endpoint: start(t)}
	o.inner = o.http.Handler
	o.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "dayfly-sqsqueue" {
			o.sdk.Add(1)
		} else if o.direct.Add(1); o.instead.Load() != nil {
			(*o.instead.Load())(w, r)
			return
		}
		o.inner.ServeHTTP(w, r)
	})
	return o
}

func (o *observed) open(t *testing.T, so sqs.Options) *queue.Queue {
	t.Helper()
	s := queue.New(sqsqueue.New(sqs.New(so), nil))
	t.Cleanup(func() { s.Close() })
	if err := s.CreateQueue(t.Context(), "q", queue.Attributes{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Describe(t.Context(), "q"); err != nil { // its URL is known from now on
		t.Fatal(err)
	}
	o.direct.Store(0)
	o.sdk.Store(0)
	return s.Queue("q")
}

// cycle sends, receives, extends and deletes, one message and several.
func cycle(t *testing.T, q *queue.Queue) {
	t.Helper()
	ctx := t.Context()
	bodies := []string{"one", "\u00e9 \" \\ \n\t\r \U0001f600", "{\"a\":[1]}"}
	for _, n := range []int{1, 3} {
		var out []queue.Outgoing
		for _, b := range bodies[:n] {
			out = append(out, queue.Outgoing{Body: b, Delay: -1})
		}
		sent, err := q.Send(ctx, out...)
		if err != nil || len(sent) != n {
			t.Fatalf("send %d: %v, %v", n, sent, err)
		}
		got := map[string]string{}
		var receipts []string
		var changes []queue.VisibilityChange
		for len(got) < n {
			m, err := q.Receive(ctx, queue.ReceiveOptions{Max: n - len(got), Visibility: time.Minute, Wait: 5 * time.Second})
			if err != nil || len(m) == 0 {
				t.Fatalf("receive %d: %v, %v", n, m, err)
			}
			for _, m := range m {
				got[m.ID] = m.Body
				receipts = append(receipts, m.Receipt)
				changes = append(changes, queue.VisibilityChange{Receipt: m.Receipt, Visibility: time.Hour})
				if m.Receives != 1 || time.Since(m.Sent).Abs() > time.Minute {
					t.Errorf("%+v", m)
				}
			}
		}
		want := map[string]string{}
		for i, s := range sent {
			want[s.ID] = bodies[i]
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("received (-want +got):\n%s", d)
		}
		if errs, err := q.ChangeVisibility(ctx, changes...); err != nil || len(errs) != n || errs[0] != nil {
			t.Fatalf("change %d: %v, %v", n, errs, err)
		}
		if errs, err := q.Delete(ctx, receipts...); err != nil || len(errs) != n || errs[0] != nil {
			t.Fatalf("delete %d: %v, %v", n, errs, err)
		}
	}
}

// TestDirect: on loopback the SDK is left out, unless someone wants to see its
// requests.
func TestDirect(t *testing.T) {
	o := observe(t)
	cycle(t, o.open(t, plain(o.url)))
	if o.direct.Load() < 8 || o.sdk.Load() != 0 {
		t.Errorf("%d requests were direct, %d the SDK's", o.direct.Load(), o.sdk.Load())
	}
	for name, change := range map[string]func(*sqs.Options){
		"a client of its own": func(so *sqs.Options) { so.HTTPClient = &http.Client{} },
		"middleware": func(so *sqs.Options) {
			so.APIOptions = append(so.APIOptions, func(*middleware.Stack) error { return nil })
		},
		"logging": func(so *sqs.Options) { so.ClientLogMode = aws.LogRetries },
		"a name for a host": func(so *sqs.Options) {
			so.BaseEndpoint = aws.String(strings.Replace(o.url, "127.0.0.1", "localhost", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			so := plain(o.url)
			change(&so)
			cycle(t, o.open(t, so))
			if o.direct.Load() != 0 || o.sdk.Load() < 8 {
				t.Errorf("%d requests were direct, %d the SDK's", o.direct.Load(), o.sdk.Load())
			}
		})
	}
}

// TestDirectFails: whatever goes wrong with a direct request, the SDK sees to it.
func TestDirectFails(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"busy":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "90000000")
			w.Write([]byte(`{"Successful":[`))
		},
		"broken":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"not JSON": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte(`{"Successful":[`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := observe(t)
			q := o.open(t, plain(o.url))
			o.instead.Store(&answer)
			cycle(t, q)
			if o.sdk.Load() < 8 {
				t.Errorf("the SDK made %d requests", o.sdk.Load())
			}
		})
	}
}

// TestSendByReply: what a reply says of each message is what Send says.
func TestSendByReply(t *testing.T) {
	for name, tc := range map[string]struct {
		reply   string
		partial bool
		stored  []bool
	}{
		"an id that was not sent": {`{"Successful":[{"Id":"7","MessageId":"x"},{"Id":"1","MessageId":"y"}]}`, false, nil},
		"an id left out":          {`{"Successful":[{"Id":"1","MessageId":"y"}]}`, false, nil},
		"all failed": {`{"Failed":[{"Id":"0","Code":"InvalidParameterValue","Message":"Message must be shorter than 1 bytes."},` +
			`{"Id":"1","Code":"InvalidParameterValue","Message":"Message must be shorter than 1 bytes."}]}`, false, nil},
		"one failed": {`{"Successful":[{"Id":"1","MessageId":"y"}],` +
			`"Failed":[{"Id":"0","Code":"InvalidParameterValue","Message":"Message must be shorter than 1 bytes."}]}`, true, []bool{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			o := observe(t)
			q := o.open(t, plain(o.url))
			answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(tc.reply)) })
			o.instead.Store(&answer)
			sent, err := q.Send(t.Context(), queue.Outgoing{Body: "a", Delay: -1}, queue.Outgoing{Body: "b", Delay: -1})
			if err == nil || sent != nil {
				t.Fatalf("%v, %v", sent, err)
			}
			if o.sdk.Load() != 0 {
				t.Error("what may be stored was sent again")
			}
			if strings.Contains(name, "failed") && !errors.Is(err, queue.ErrTooLarge) {
				t.Errorf("error %v, want ErrTooLarge", err)
			}
			partial, ok := errors.AsType[*queue.PartialError](err)
			if ok != tc.partial {
				t.Fatalf("error %v", err)
			}
			for i, stored := range tc.stored {
				if (partial.Errs[i] == nil) != stored {
					t.Errorf("of message %d: %v", i, partial.Errs[i])
				}
			}
		})
	}
}

// TestDirectEnds: a wait ends with its context, and its connection with it.
func TestDirectEnds(t *testing.T) {
	o := observe(t)
	q := o.open(t, plain(o.url))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := q.Receive(ctx, queue.ReceiveOptions{Wait: 20 * time.Second, Visibility: -1})
		ended <- err
	}()
	for o.direct.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a receive that was broken off returned no error")
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("the receive goes on after its context has ended")
	}
	cycle(t, q)
}

// TestDirectConformance is the suite without the SDK in between.
func TestDirectConformance(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, harness(func(url string) *sqs.Client { return sqs.New(plain(url)) }))
}
