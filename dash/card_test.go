package dash

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// TestCancelAMessage: what waits can be cancelled where workers can be told.
func TestCancelAMessage(t *testing.T) {
	f := newFixture(t)
	bodies := []string{`{"specversion":"1.0","type":"load","id":"t1","dayflybatch":"{\"id\":\"b\"}"}`, "no task"}
	for _, body := range bodies {
		if _, err := f.queues.Send(t.Context(), "default", []queue.Outgoing{{Body: body, Delay: -1}}); err != nil {
			t.Fatal(err)
		}
	}
	deadLetter(t, f.queues, "load", "boom")
	page := f.page(t, "/queues/default")
	if got := texts(page, ".card form[action='/task/cancel'] p"); len(got) != 1 || !strings.HasSuffix(got[0], "Its batch counts it as failed.") {
		t.Errorf("asks %q", got)
	}
	if got := texts(f.page(t, "/queues/default-dead"), ".card form[action='/task/cancel']"); len(got) > 0 {
		t.Error("a dead letter can be cancelled")
	}
	form := url.Values{}
	for _, in := range queryAll(page, ".card form[action='/task/cancel'] input[type=hidden]") {
		form.Set(attr(in, "name"), attr(in, "value"))
	}
	page = f.post(t, "/task/cancel", form)
	if got := texts(page, ".note, h1"); !cmp.Equal(got, []string{"done: cancel t1", "default"}) {
		t.Errorf("says %q", got)
	}
}

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
