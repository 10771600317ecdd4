package sqsqueue_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/dayfly-dev/dayfly/queue"
)

// TestDirectReplies: replies are read however the endpoint cuts them up.
func TestDirectReplies(t *testing.T) {
	for name, write := range map[string]func(http.ResponseWriter, []byte){
		"in chunks": func(w http.ResponseWriter, body []byte) {
			w.(http.Flusher).Flush()
			w.Write(body)
		},
		"byte by byte": func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			for i := range body {
				w.Write(body[i : i+1])
				w.(http.Flusher).Flush()
			}
		},
		"with a long head": func(w http.ResponseWriter, body []byte) {
			w.Header().Set("X-Long", strings.Repeat("x", 20<<10))
			w.Write(body)
		},
		"on a connection that closes": func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Connection", "close")
			w.Write(body)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := observe(t)
			q := o.open(t, plain(o.url))
			o.through(func(w http.ResponseWriter, r *httptest.ResponseRecorder) {
				w.WriteHeader(r.Code)
				write(w, r.Body.Bytes())
			})
			cycle(t, q)
			if o.sdk.Load() != 0 {
				t.Errorf("the SDK made %d requests", o.sdk.Load())
			}
		})
	}
}

// through has direct requests handled, and a test write the reply.
func (o *observed) through(write func(http.ResponseWriter, *httptest.ResponseRecorder)) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := httptest.NewRecorder()
		o.inner.ServeHTTP(reply, r)
		write(w, reply)
	})
	o.instead.Store(&answer)
}

// TestDirectLarge: ten messages of the largest size come without the SDK, and
// the connection does not keep the memory for them.
func TestDirectLarge(t *testing.T) {
	o := observe(t)
	q := o.open(t, plain(o.url))
	body := strings.Repeat("\"é\n", 200<<10)
	for range 10 {
		if _, err := q.Send(t.Context(), queue.Outgoing{Body: body, Delay: -1}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: time.Minute, Wait: time.Second})
	if err != nil || len(got) != 10 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for i := range got {
		if got[i].Body != body {
			t.Fatalf("message %d has %d bytes, not the %d that were sent", i, len(got[i].Body), len(body))
		}
	}
	if o.sdk.Load() != 0 {
		t.Errorf("the SDK made %d requests", o.sdk.Load())
	}
}

// TestDirectLostReply: a send whose reply was lost is made again, and stored
// twice, as by the SDK alone.
func TestDirectLostReply(t *testing.T) {
	o := observe(t)
	q := o.open(t, plain(o.url))
	o.through(func(http.ResponseWriter, *httptest.ResponseRecorder) { panic(http.ErrAbortHandler) })
	sent, err := q.Send(t.Context(), queue.Outgoing{Body: "a", Delay: -1})
	if err != nil || len(sent) != 1 {
		t.Fatalf("%v, %v", sent, err)
	}
	if n := depth(t, o); n != 2 {
		t.Errorf("stored %d times, want 2", n)
	}
}

func depth(t *testing.T, o *observed) int64 {
	t.Helper()
	d, err := o.queues.Describe(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	return d.Visible
}

// TestDirectAfterRestart: connections that the endpoint closed while they were
// idle, as when it restarts, cost no error and store nothing twice.
func TestDirectAfterRestart(t *testing.T) {
	o := observe(t)
	closed := make(chan struct{}, 1)
	q := o.open(t, plain(o.url))
	o.through(func(w http.ResponseWriter, r *httptest.ResponseRecorder) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { c.Close(); closed <- struct{}{} }()
		body := r.Body.String()
		rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
		rw.Flush()
	})
	for i := range 3 {
		if _, err := q.Send(t.Context(), queue.Outgoing{Body: "a", Delay: -1}); err != nil {
			t.Fatal(err)
		}
		if i != 1 { // that one goes to a closed connection, and then to the SDK
			<-closed
		}
	}
	if n := depth(t, o); n != 3 {
		t.Errorf("%d messages are stored, want 3", n)
	}
}

// TestDirectKeys: each request is signed by the keys of its time.
func TestDirectKeys(t *testing.T) {
	o := observe(t)
	so := plain(o.url)
	right := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey, CanExpire: true, Expires: time.Unix(1, 0)} // asked for each time
	wrong := right
	wrong.AccessKeyID, wrong.SecretAccessKey = "AKIDOTHER", "another"
	var now atomic.Value
	now.Store(right)
	so.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return now.Load().(aws.Credentials), nil
	})
	q := o.open(t, so)
	for i, keys := range []aws.Credentials{right, wrong, right} {
		now.Store(keys)
		if _, err := q.Send(t.Context(), queue.Outgoing{Body: "a", Delay: -1}); (err == nil) != (keys == right) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if o.direct.Load() != 3 || o.sdk.Load() != 1 {
		t.Errorf("%d requests were direct, %d the SDK's; want 3, and 1 for the keys that are wrong", o.direct.Load(), o.sdk.Load())
	}
	if n := depth(t, o); n != 2 {
		t.Errorf("%d messages are stored, want 2", n)
	}
}
