package dash

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

func (f *fixture) counts(t *testing.T, name string) int64 {
	t.Helper()
	d, err := f.queues.Describe(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return d.Visible + d.Delayed + d.InFlight
}

func TestRedriveOne(t *testing.T) {
	f := newFixture(t)
	deadLetter(t, f.queues, "other", "stays")
	id := deadLetter(t, f.queues, "compare_archives", "boom")
	page := f.post(t, "/queues/default-dead/redrive", url.Values{"id": {id}})
	if got := texts(page, ".note"); !cmp.Equal(got, []string{"Sent back to default"}) {
		t.Errorf("says %q", got)
	}
	if f.counts(t, "default") != 1 || f.counts(t, "default-dead") != 1 {
		t.Fatalf("default has %d, default-dead %d", f.counts(t, "default"), f.counts(t, "default-dead"))
	}
	got, err := f.queues.Receive(context.Background(), "default", queue.ReceiveOptions{Max: 1, Visibility: -1})
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	// The payload and the message's own attributes are as they were; what the
	// worker wrote about the failure is gone.
	want := map[string]queue.Attribute{"content-type": {DataType: "String", String: "application/cloudevents+json"}}
	if diff := cmp.Diff(want, got[0].Attributes); diff != "" || !strings.Contains(got[0].Body, "compare_archives") {
		t.Errorf("sent back: %s %s", got[0].Body, diff)
	}
	if w := f.send("/queues/default-dead/redrive", url.Values{"id": {id}}); w.Code != http.StatusNotFound {
		t.Errorf("a second press: %d, want 404", w.Code)
	}
}

// Two presses at the same moment send a message once.
func TestRedriveTwiceAtOnce(t *testing.T) {
	f := newFixture(t)
	for range 20 {
		id := deadLetter(t, f.queues, "t", "boom")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { f.send("/queues/default-dead/redrive", url.Values{"id": {id}}) })
		}
		wg.Wait()
	}
	if n := f.counts(t, "default"); n != 20 || f.counts(t, "default-dead") != 0 {
		t.Errorf("default has %d messages, want 20", n)
	}
}

func TestRedriveAll(t *testing.T) {
	f := newFixture(t)
	const n = browseStep + 23
	for range n {
		deadLetter(t, f.queues, "t", "boom")
	}
	got, err := f.queues.Receive(context.Background(), "default-dead", queue.ReceiveOptions{Max: 3, Visibility: time.Hour})
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	f.Now = time.Now
	page := f.post(t, "/queues/default-dead/redrive-all", nil)
	want := []string{"Sent 120 messages back; left 3 messages that somebody had just received"}
	if got := texts(page, ".note"); !cmp.Equal(got, want) {
		t.Errorf("says %q, want %q", got, want)
	}
	if f.counts(t, "default") != n-3 || f.counts(t, "default-dead") != 3 {
		t.Errorf("default has %d, default-dead %d", f.counts(t, "default"), f.counts(t, "default-dead"))
	}
}

// tornQueues cannot read one message, as an engine whose disk is damaged.
type tornQueues struct {
	Queues
	bad string
}

func (q tornQueues) Browse(ctx context.Context, name, after string, most int) ([]queue.Browsed, error) {
	found, err := q.Queues.Browse(ctx, name, after, most)
	n := len(found)
	found = slices.DeleteFunc(found, func(b queue.Browsed) bool { return b.ID == q.bad })
	if err == nil && len(found) < n {
		err = errors.New("damaged at offset 7")
	}
	return found, err
}

func TestAMessageThatCannotBeRead(t *testing.T) {
	f := newFixture(t)
	for range 3 {
		deadLetter(t, f.queues, "t", "boom")
	}
	list, err := f.queues.Browse(context.Background(), "default-dead", "", 3)
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	f.Dash.Queues = tornQueues{f.Dash.Queues, list[1].ID}
	f.Now = time.Now
	page := f.page(t, "/queues/default-dead")
	if note := texts(page, ".note"); len(note) != 1 || !strings.Contains(note[0], "damaged at offset 7") {
		t.Errorf("says %q", note)
	}
	if n := len(texts(page, ".cards > li")); n != 2 {
		t.Errorf("%d messages are shown, want 2", n)
	}
	f.post(t, "/queues/default-dead/redrive", url.Values{"id": {list[2].ID}})
	f.send("/queues/default-dead/redrive-all", nil)
	if f.counts(t, "default") != 2 || f.counts(t, "default-dead") != 1 {
		t.Errorf("default has %d, default-dead %d", f.counts(t, "default"), f.counts(t, "default-dead"))
	}
}

// A group goes back with its message, on a standard queue too, where it is the tenant.
func TestRedriveKeepsTheGroup(t *testing.T) {
	for _, to := range []string{"default", "orders.fifo"} {
		if o := again(queue.Browsed{Message: queue.Message{ID: "1", GroupID: "g"}}, to); o.GroupID != "g" || (o.DedupID != "") != (to == "orders.fifo") {
			t.Errorf("to %s: %+v", to, o)
		}
	}
}

// Where a message goes is one of the queues that name this one, whatever the
// form or the message says.
func TestRedriveTarget(t *testing.T) {
	f := newFixture(t)
	ctx := context.Background()
	for _, name := range []string{"other", "mail"} {
		a := queue.Attributes{}
		if name == "mail" {
			a.DeadLetter = &queue.DeadLetter{Queue: "default-dead", MaxReceives: 3}
		}
		if err := f.queues.CreateQueue(ctx, name, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	dead := func(from string) string {
		sent, err := f.queues.Send(ctx, "default-dead", []queue.Outgoing{{Body: "x", Delay: -1,
			Attributes: map[string]queue.Attribute{attrQueue: {DataType: "String", String: from}}}})
		if err != nil {
			t.Fatal(err)
		}
		return sent[0].ID
	}
	tests := []struct{ from, to, want string }{
		{"default", "", "default"}, {"mail", "", "mail"}, {"mail", "default", "default"}, {"other", "", "default"}, {"default", "other", ""}, {"default", "default-dead", ""},
	}
	for _, tt := range tests {
		id := dead(tt.from)
		w := f.send("/queues/default-dead/redrive", url.Values{"id": {id}, "to": {tt.to}})
		if tt.want == "" {
			if w.Code != http.StatusBadRequest {
				t.Errorf("from %s to %s: %d, want 400", tt.from, tt.to, w.Code)
			}
			continue
		}
		if f.counts(t, tt.want) != 1 {
			t.Errorf("from %s to %q: not in %s", tt.from, tt.to, tt.want)
		}
		got, err := f.queues.Receive(ctx, tt.want, queue.ReceiveOptions{Max: 1, Visibility: -1})
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		if _, err := f.queues.Delete(ctx, tt.want, []string{got[0].Receipt}); err != nil {
			t.Fatal(err)
		}
	}
	// A queue that nothing names has nowhere to send back to.
	sent, err := f.queues.Send(ctx, "other", []queue.Outgoing{{Body: "x", Delay: -1}})
	if err != nil {
		t.Fatal(err)
	}
	if w := f.send("/queues/other/redrive", url.Values{"id": {sent[0].ID}}); w.Code != http.StatusBadRequest {
		t.Errorf("redrive of an ordinary queue: %d, want 400", w.Code)
	}
}

// lossy fails to send, or to delete.
type lossy struct {
	*queue.Service
	send, remove error
}

func (l lossy) Send(ctx context.Context, name string, m []queue.Outgoing) ([]queue.Sent, error) {
	if l.send != nil {
		return nil, l.send
	}
	return l.Service.Send(ctx, name, m)
}

func (l lossy) DeleteID(ctx context.Context, name, id string) (bool, error) {
	if l.remove != nil {
		return false, l.remove
	}
	return l.Service.DeleteID(ctx, name, id)
}

// Whatever fails in a redrive, the message is in at least one queue.
func TestRedriveLosesNothing(t *testing.T) {
	f := newFixture(t)
	id := deadLetter(t, f.queues, "t", "boom")
	f.Queues = lossy{Service: f.queues, send: queue.ErrFull}
	page := f.post2(t, "/queues/default-dead/redrive", url.Values{"id": {id}})
	if !strings.Contains(page, "no room on disk") || f.counts(t, "default-dead") != 1 || f.counts(t, "default") != 0 {
		t.Errorf("send failed: %s", page)
	}
	f.Now = time.Now
	f.Queues = lossy{Service: f.queues, remove: queue.ErrFull}
	page = f.post2(t, "/queues/default-dead/redrive-all", nil)
	if !strings.Contains(page, "is still in default-dead") || f.counts(t, "default-dead") != 1 || f.counts(t, "default") != 1 {
		t.Errorf("delete failed: %s", page)
	}
}

// post2 is what a failed action says, on a page or instead of one.
func (f *fixture) post2(t *testing.T, path string, form url.Values) string {
	t.Helper()
	w := f.send(path, form)
	if w.Code == http.StatusSeeOther {
		return strings.Join(texts(f.page(t, w.Header().Get("Location")), ".note.bad"), " ")
	}
	t.Fatalf("POST %s: %d", path, w.Code)
	return ""
}

func TestDeleteAndPurge(t *testing.T) {
	f := newFixture(t)
	id := deadLetter(t, f.queues, "t", "boom")
	deadLetter(t, f.queues, "t", "boom")
	if got := texts(f.post(t, "/queues/default-dead/delete", url.Values{"id": {id}}), ".note"); !cmp.Equal(got, []string{"Message deleted"}) {
		t.Errorf("says %q", got)
	}
	if n := f.counts(t, "default-dead"); n != 1 {
		t.Errorf("%d messages left", n)
	}
	if w := f.send("/queues/default-dead/delete", url.Values{"id": {id}}); w.Code != http.StatusNotFound {
		t.Errorf("deleted twice: %d", w.Code)
	}
	sure := url.Values{"confirm": {"default-dead"}}
	if got := texts(f.post(t, "/queues/default-dead/purge", sure), ".note"); !cmp.Equal(got, []string{"Every message of default-dead was deleted"}) {
		t.Errorf("says %q", got)
	}
	if got := f.post2(t, "/queues/default-dead/purge", sure); !strings.Contains(got, "less than a minute ago") {
		t.Errorf("a second purge says %q", got)
	}
}

func TestMessagePages(t *testing.T) {
	f := newFixture(t)
	ctx := context.Background()
	big := strings.Repeat("x", 100_000)
	var last string
	for i := range messagesShown + 4 {
		body := "m"
		if i == messagesShown+3 {
			body = big
		}
		sent, err := f.queues.Send(ctx, "default", []queue.Outgoing{{Body: body, Delay: -1}})
		if err != nil {
			t.Fatal(err)
		}
		last = sent[0].ID
	}
	first := f.page(t, "/queues/default")
	if n := len(texts(first, ".card")); n != messagesShown {
		t.Errorf("first page has %d messages", n)
	}
	next := queryAttr(t, first, ".pager a", "href")
	second := f.page(t, next)
	if n := len(texts(second, ".card")); n != 4 {
		t.Errorf("second page has %d messages", n)
	}
	bodies := texts(second, ".card pre")
	if n := len(bodies[len(bodies)-1]); n > bodyShown+10 {
		t.Errorf("a payload of %d bytes is in a list", n)
	}
	whole := f.page(t, "/queues/default/messages/"+last)
	if got := texts(whole, ".card pre"); len(got) != 1 || got[0] != big {
		t.Error("the message's own page does not show it whole")
	}
}

// unbrowsable is a service that cannot show messages, as Amazon's.
type unbrowsable struct{ *queue.Service }

func (unbrowsable) Browse(context.Context, string, string, int) ([]queue.Browsed, error) {
	return nil, queue.ErrUnsupported
}

func (unbrowsable) DeleteID(context.Context, string, string) (bool, error) {
	return false, queue.ErrUnsupported
}

func TestUnbrowsable(t *testing.T) {
	f := newFixture(t)
	deadLetter(t, f.queues, "t", "boom")
	f.Queues, f.QueueService, f.tasks.effects = unbrowsable{f.queues}, "Amazon SQS, eu-west-1", nil
	page := f.page(t, "/queues/default-dead")
	want := []string{"Amazon SQS, eu-west-1 has no way to look at messages without receiving them, so only counts are shown here."}
	if got := texts(page, ".empty"); !cmp.Equal(got, want) {
		t.Errorf("says %q", got)
	}
	if got := texts(page, "button"); !cmp.Equal(got, []string{"Delete all"}) {
		t.Errorf("has buttons %q", got)
	}
	if w := f.send("/queues/default-dead/redrive-all", nil); w.Code/100 == 2 {
		t.Errorf("redrive: %d", w.Code)
	}
	if got := texts(f.page(t, "/"), ".attention li"); len(got) != 3 {
		t.Errorf("the overview asked a service that is not embedded: %q", got)
	}
}
