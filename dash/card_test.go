package dash

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// A payload that is stored apart is named, and a message its queue gave up says so.
func TestWhatALetterSays(t *testing.T) {
	f := newFixture(t)
	body := `{"specversion":"1.0","id":"t1","source":"/","type":"resize","dataref":"s3://shop-payloads/tasks/2026-11-21/3f2a","datasha256":"00","datasize":3145728}`
	if _, err := f.queues.Send(t.Context(), "default", []queue.Outgoing{{Body: body}}); err != nil {
		t.Fatal(err)
	}
	page := f.page(t, "/queues/default")
	if got := texts(page, ".card h3 a.plain, .card .meta:not(.dim)"); !cmp.Equal(got, []string{"resize", "Its arguments are stored apart: s3://shop-payloads/tasks/2026-11-21/3f2a 3.0 MiB"}) {
		t.Errorf("says %q", got)
	}
	for range 6 { // once more than the queue allows
		if _, err := f.queues.Receive(t.Context(), "default", queue.ReceiveOptions{Max: 1, Visibility: 0}); err != nil {
			t.Fatal(err)
		}
	}
	page = f.page(t, "/queues/default-dead")
	if got := texts(page, ".card > .dim:not(.meta)"); len(got) != 1 || !strings.HasPrefix(got[0], "No worker wrote a reason: after 5 receives its queue gave it up.") {
		t.Errorf("says %q", got)
	}
}
