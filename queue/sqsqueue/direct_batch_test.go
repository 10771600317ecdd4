package sqsqueue_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/dayfly-dev/dayfly/queue"
)

// passes sends, receives, and deletes n messages, and one that is not there, and
// returns how many requests were made for the sends and the deletes.
func passes(t *testing.T, o *observed, q *queue.Queue, n int) (sends, deletes int64) {
	t.Helper()
	out := make([]queue.Outgoing, n)
	for i := range out {
		out[i] = queue.Outgoing{Body: fmt.Sprint("body ", i), Delay: -1}
	}
	before := o.direct.Load() + o.sdk.Load()
	sent, err := q.Send(t.Context(), out...)
	if err != nil || len(sent) != n {
		t.Fatalf("send: %d of %d, %v", len(sent), n, err)
	}
	sends = o.direct.Load() + o.sdk.Load() - before
	bodies := map[string]string{}
	for i, s := range sent {
		bodies[s.ID] = out[i].Body
	}
	var receipts []string
	for len(bodies) > 0 {
		got, err := q.Receive(t.Context(), queue.ReceiveOptions{Max: 10, Visibility: time.Minute, Wait: 5 * time.Second})
		if err != nil || len(got) == 0 {
			t.Fatalf("receive, %d left: %v", len(bodies), err)
		}
		for _, m := range got {
			if bodies[m.ID] != m.Body {
				t.Errorf("message %s has the body %q, want %q", m.ID, m.Body, bodies[m.ID])
			}
			delete(bodies, m.ID)
			receipts = append(receipts, m.Receipt)
		}
	}
	before = o.direct.Load() + o.sdk.Load()
	receipts = append(receipts[:n:n], "wrong")
	errs, err := q.Delete(t.Context(), receipts...)
	if err != nil || len(errs) != n+1 {
		t.Fatalf("delete: %v, %v", errs, err)
	}
	for i, err := range errs {
		if (err == nil) != (i < n) {
			t.Errorf("delete, receipt %d: %v", i, err)
		}
	}
	return sends, o.direct.Load() + o.sdk.Load() - before
}

// TestLargeBatches: an endpoint that says it takes more than ten entries gets
// them, whatever became of the reply before; others get ten.
func TestLargeBatches(t *testing.T) {
	o := observe(t)
	q := o.open(t, plain(o.url))
	cycle(t, q) // after which the endpoint is known
	if n := q.Service().BatchSize(); n != 100 {
		t.Fatalf("%d messages a call, want 100", n)
	}
	if sends, deletes := passes(t, o, q, 99); sends != 1 || deletes != 1 {
		t.Errorf("99 messages: %d requests to send, %d to delete 100; want 1 each", sends, deletes)
	}

	silent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("X-Dayfly-Entries")
		o.inner.ServeHTTP(w, r)
	})
	o.instead.Store(&silent) // as when another endpoint takes its place
	// The first is refused, and tried again by tens.
	if sends, _ := passes(t, o, q, 25); sends != 1+3 {
		t.Errorf("25 messages, the first to an endpoint that is another by now: %d requests, want 4", sends)
	}
	if n := q.Service().BatchSize(); n != 10 {
		t.Errorf("%d messages a call, want 10", n)
	}
	if sends, deletes := passes(t, o, q, 25); sends != 3 || deletes != 3 {
		t.Errorf("25 messages by tens: %d requests to send, %d to delete 26; want 3 each", sends, deletes)
	}
	o.instead.Store(nil)
	cycle(t, q)
	if n := q.Service().BatchSize(); n != 100 {
		t.Errorf("%d messages a call, want 100 again", n)
	}
}
