package sqsserver_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestLargeBatches: who asks for large batches may have them, with all else as
// it is, and is told how large; nobody else sees anything of it.
func TestLargeBatches(t *testing.T) {
	h := queues(t)
	batch := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,{"Id":"%d","MessageBody":"m"}`, i)
		}
		return on(`{q},"Entries":[` + b.String()[1:] + `]`)
	}
	for _, tc := range []struct {
		entries int
		asks    bool
		status  int
	}{{10, false, 200}, {11, false, 400}, {10, true, 200}, {11, true, 200}, {100, true, 200}, {101, true, 400}} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(batch(tc.entries)))
		r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessageBatch")
		offer := ""
		if tc.asks {
			r.Header.Set("X-Dayfly-Entries", "100")
			offer = "100"
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.status || w.Header().Get("X-Dayfly-Entries") != offer {
			t.Errorf("%d entries, asked %v: %d, offered %q; want %d and %q", tc.entries, tc.asks, w.Code, w.Header().Get("X-Dayfly-Entries"), tc.status, offer)
		}
		if n := strings.Count(w.Body.String(), "MessageId"); tc.status == 200 && n != tc.entries {
			t.Errorf("%d of %d entries were stored: %s", n, tc.entries, w.Body)
		}
	}
	counts := must(t, h, "GetQueueAttributes", `{q},"AttributeNames":["ApproximateNumberOfMessages"]`)
	if want := `"131"`; !strings.Contains(counts, want) {
		t.Errorf("the queue has %s, want %s", counts, want)
	}
}
