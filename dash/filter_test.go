package dash

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

func TestFilter(t *testing.T) {
	f := newFixture(t)
	ids := map[string]string{}
	for i := range 3 {
		ids[fmt.Sprint("digest", i)] = deadLetter(t, f.queues, "send_digest", fmt.Sprintf("Mailbox %d is full", i))
		ids[fmt.Sprint("compare", i)] = deadLetter(t, f.queues, "compare_archives", fmt.Sprintf("boom %d", i))
	}
	shown := func(query string) []string { return texts(f.page(t, "/queues/default-dead?"+query), ".card .error") }
	for query, want := range map[string][]string{
		"task=send_digest":             {"Mailbox 0 is full", "Mailbox 1 is full", "Mailbox 2 is full"},
		"task=send":                    nil,
		"q=MAILBOX+1":                  {"Mailbox 1 is full"},
		"q=" + ids["compare2"]:         {"boom 2"},
		"task=compare_archives&q=full": nil,
		"q=v0.62.0&task=send_digest":   {"Mailbox 0 is full", "Mailbox 1 is full", "Mailbox 2 is full"},
	} {
		if got := shown(query); !cmp.Equal(got, want) {
			t.Errorf("%s shows %q, want %q", query, got, want)
		}
	}
	f.Now = time.Now
	// One at a time, and back to the same page.
	page := f.post(t, "/queues/default-dead/redrive", url.Values{"id": {ids["digest1"]}, "at": {ids["compare0"]}, "view": {"task=send_digest"}})
	if got := texts(page, ".card .error"); !cmp.Equal(got, []string{"Mailbox 0 is full", "Mailbox 2 is full"}) {
		t.Errorf("after a redrive: %q", got)
	}
	// All that match, and no others.
	page = f.post(t, "/queues/default-dead/redrive-all", url.Values{"q": {"mailbox 0"}})
	if got := texts(page, ".note"); !cmp.Equal(got, []string{"Sent 1 message back"}) {
		t.Errorf("says %q", got)
	}
	for _, form := range []url.Values{{"q": {"boom"}}, {"confirm": {"default-dead"}}} {
		if w := f.send("/queues/default-dead/delete-matching", form); w.Code != http.StatusBadRequest {
			t.Errorf("%v: %d, want 400", form, w.Code)
		}
	}
	page = f.post(t, "/queues/default-dead/delete-matching", url.Values{"q": {"boom"}, "confirm": {"default-dead"}})
	if got := texts(page, ".note, .card .error"); !cmp.Equal(got, []string{"Deleted 3 messages", "Mailbox 2 is full"}) {
		t.Errorf("after the deletion: %q", got)
	}
	if f.counts(t, "default") != 2 || f.counts(t, "default-dead") != 1 {
		t.Errorf("default has %d, default-dead %d", f.counts(t, "default"), f.counts(t, "default-dead"))
	}
}

// browses counts what is read of queues.
type browses struct {
	*queue.Service
	read int
}

func (b *browses) Browse(ctx context.Context, name, after string, most int) ([]queue.Browsed, error) {
	found, err := b.Service.Browse(ctx, name, after, most)
	b.read += len(found)
	return found, err
}

// TestDeepQueue: however many messages there are, a page, a filter that finds
// nothing and a button read a bounded number of them.
func TestDeepQueue(t *testing.T) {
	f := newFixture(t)
	const n = filterLooked + 500
	batch := slices.Repeat([]queue.Outgoing{{Body: "x", Delay: -1}}, 10)
	for range n / 10 {
		if _, err := f.queues.Send(t.Context(), "default-dead", batch); err != nil {
			t.Fatal(err)
		}
	}
	last := deadLetter(t, f.queues, "t", "boom")
	b := &browses{Service: f.queues}
	f.Queues = b
	reads := func(most int, what func()) {
		t.Helper()
		b.read = 0
		if what(); b.read > most {
			t.Errorf("%d messages were read, more than %d", b.read, most)
		}
	}
	reads(messagesShown+1, func() { f.page(t, "/queues/default-dead") })
	further := ""
	reads(filterLooked, func() {
		page := f.page(t, "/queues/default-dead?q=boom")
		if got := texts(page, ".empty"); len(got) != 1 || !strings.HasPrefix(got[0], "None of 2,000 messages matches.") {
			t.Errorf("says %q", got)
		}
		further = attr(query(t, page, ".empty a"), "href")
	})
	page := f.page(t, further)
	if got := texts(page, ".card .error"); !cmp.Equal(got, []string{"boom"}) {
		t.Fatalf("further on: %q", got)
	}
	form := url.Values{"id": {last}, "at": {attr(query(t, page, "input[name=at]"), "value")}}
	reads(messagesShown, func() { f.page(t, attr(query(t, page, ".card a.id"), "href")) })
	reads(2*messagesShown, func() { f.post(t, "/queues/default-dead/redrive", form) })
	if f.counts(t, "default") != 1 {
		t.Error("it was not sent back")
	}
}
