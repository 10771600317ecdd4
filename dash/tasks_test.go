package dash

import (
	"context"
	"errors"
	"fmt"
	"math"
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

// fakeTasks are what the test sets, and what was asked for.
type fakeTasks struct {
	mu       sync.Mutex
	activity map[string]Activity
	effects  []Effect
	pauses   []Pause
	status   map[string]TaskStatus
	outboxes []Outbox
	did      []string
	err      error
}

func (f *fakeTasks) Activity(name string) Activity {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.activity[name]
}

func (f *fakeTasks) Unknown(_ context.Context, max int) ([]Effect, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.effects[:min(len(f.effects), max)], f.err
}

func (f *fakeTasks) act(what string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, what)
	return "done: " + what, f.err
}

func (f *fakeTasks) Resolve(_ context.Context, key string, sent bool) (string, error) {
	f.mu.Lock()
	f.effects = slices.DeleteFunc(f.effects, func(e Effect) bool { return e.Key == key })
	f.mu.Unlock()
	return f.act(fmt.Sprintf("resolve %s %v", key, sent))
}

func (f *fakeTasks) Pauses(context.Context) ([]Pause, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.pauses), f.err
}

func (f *fakeTasks) Pause(_ context.Context, name, why string) (string, error) {
	f.mu.Lock()
	f.pauses = append(f.pauses, Pause{Queue: name, At: now.Add(-time.Minute), By: "ann", Why: why})
	f.mu.Unlock()
	return f.act("pause " + name + " " + why)
}

func (f *fakeTasks) Resume(_ context.Context, name string) (string, error) {
	f.mu.Lock()
	f.pauses = slices.DeleteFunc(f.pauses, func(p Pause) bool { return p.Queue == name })
	f.mu.Unlock()
	return f.act("resume " + name)
}

func (f *fakeTasks) Task(_ context.Context, id string) (TaskStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s, ok := f.status[id]; ok {
		return s, nil
	}
	return TaskStatus{}, ErrNotFound
}

func (f *fakeTasks) Cancel(_ context.Context, id, why string) (string, error) {
	return f.act("cancel " + id + " " + why)
}

func (f *fakeTasks) Outboxes(context.Context) []Outbox { return f.outboxes }

// ran counts runs.
func (f *fakeTasks) ran(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := *f.activity[name].Push
	p.Outcomes.Done = 1_000_007
	a := f.activity[name]
	a.Push = &p
	f.activity[name] = a
}

const longID = "0197c3d2-6c1f-7a7e-9d41-3f2b8c5e7a90/tenant=example-of-a-rather-long-name/2026-11-21T09:30:00.123456789Z"

// newTasks are those of an application that has something to show everywhere.
func newTasks() *fakeTasks {
	f := &fakeTasks{activity: map[string]Activity{}, status: map[string]TaskStatus{}}
	var samples []Sample
	sent, deleted, runs := 41_000, 40_100, Outcomes{Done: 38_900, Retried: 311, Dead: 12, Postponed: 87}
	for i := range 180 {
		x := float64(i)
		in := 60 + int(25*math.Sin(x/9)+10*math.Sin(x*1.7))
		out := 58 + int(20*math.Sin(x/9-0.6)+8*math.Cos(x*1.3))
		sent, deleted = sent+in, deleted+out
		runs.Done += int64(out)
		if i%13 == 0 {
			runs.Retried += 4
		}
		if i%60 == 7 {
			runs.Dead++
		}
		samples = append(samples, Sample{Time: now.Add(time.Duration(i-179) * 5 * time.Second), Visible: int64(sent - deleted), Delayed: 20,
			InFlight: int64(6 + 2*math.Sin(x/3)), Sent: int64(sent), Deleted: int64(deleted), Outcomes: runs})
	}
	f.activity["default"] = Activity{Samples: samples, Pausable: true,
		Push: &Push{URL: "http://web/tasks", Outcomes: runs}}
	f.activity["default-dead"] = Activity{Samples: samples[:1]}
	f.effects = []Effect{
		{Key: "digest/2026-11-21/ann@example.com", State: "unknown", Policy: "at-most-once", Attempt: 1, At: now.Add(-19 * time.Minute), Worker: "web-3:4110",
			Task: "send_digest", Run: "0197c3d2-6c1f-7a7e", Queue: "default", Error: "read tcp 127.0.0.1:41022->127.0.0.1:1025: connection reset by peer after the mail's last byte"},
		{Key: "charge/" + longID + "/" + longID, State: "sending", Policy: "at-most-once", Attempt: 3, At: now.Add(-26 * time.Hour), Worker: "ip-10-0-113-27.eu-central-1.compute.internal:88213",
			Task: "charge_card", Run: longID, Queue: "default"},
	}
	f.outboxes = []Outbox{{Database: "default", Queue: "default", Waiting: 3, Most: 10_000}, {Database: "orders", Queue: "default", Waiting: 10_000, SetAside: 2, Most: 10_000}}
	f.status["gone"] = TaskStatus{ID: "gone", Cancelled: &Cancellation{At: now.Add(-2 * time.Minute), By: "ann", Why: "the wrong list", Applied: now.Add(-time.Minute), Running: true, Task: "send_digest", Queue: "default"}}
	f.status["runs"] = TaskStatus{ID: "runs", State: "running", Task: "resize_pictures", Queue: "default", Attempt: 2, Started: now.Add(-4 * time.Minute), At: now.Add(-2 * time.Second),
		Done: 62.5, Text: "1,250 of 2,000 pictures", Error: "attempt 1: the disk was full"}
	f.status["ran"] = TaskStatus{ID: "ran", State: "done", Task: "resize_pictures", Queue: "default", Attempt: 1, Started: now.Add(-4 * time.Minute), At: now.Add(-time.Minute), Result: `{"resized":2000,"skipped":[]}`}
	return f
}

func TestQueueActivity(t *testing.T) {
	f := newFixture(t)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	down := &Push{URL: "http://web/tasks", Outcomes: Outcomes{Done: 150, Dead: 2, Retried: 7, Postponed: 1}, Down: true, Since: at(-30), Error: "connection refused"}
	f.tasks.activity["default"] = Activity{Push: down, Samples: []Sample{
		{Time: at(-70), Sent: 5, Deleted: 5},
		{Time: at(-60), Sent: 10, Deleted: 10, Outcomes: Outcomes{Done: 30}},
		{Time: at(0), Sent: 70, Deleted: 40, Visible: 30, Outcomes: Outcomes{Done: 150, Dead: 2, Retried: 7, Postponed: 1}},
	}}
	page := f.page(t, "/queues/default")
	for selector, want := range map[string][]string{
		".tile:nth-child(2) .figure": {"1 /s in 0.5 /s out"},
		".tile:nth-child(3) .figure": {"150 done 2 dead"},
		".tile:nth-child(3) dd":      {"7", "1"},
		".tile:nth-child(3) > .dim":  {"since dayfly's start; last minute 120 done, 7 retried, 2 dead"},
		".tile.down .where":          {"http://web/tasks"},
		".tile.down p b":             {"The endpoint is down"},
		".tile.down pre":             {"connection refused"},
	} {
		if diff := cmp.Diff(want, texts(page, selector)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", selector, diff)
		}
	}
	if n := len(texts(page, "svg.chart path.line")); n != 6 {
		t.Errorf("%d lines are drawn, want 6", n)
	}
	if got := texts(f.page(t, "/queues"), "tr[data-key=default] th small, tr[data-key=default] td:nth-child(6), tr[data-key=default] td:nth-child(7)"); !cmp.Equal(got, []string{"endpoint down", "1", "0.5"}) {
		t.Errorf("the list says %q", got)
	}
	if got := strings.Join(texts(f.page(t, "/"), ".attention li"), "\n"); !strings.Contains(got, "Tasks of default wait, as the endpoint they are pushed to is down: connection refused") {
		t.Errorf("the overview says %q", got)
	}
}

func TestPauseAndResume(t *testing.T) {
	f := newFixture(t)
	page := f.post(t, "/queues/default/pause", url.Values{"why": {"the mailer is down"}, "view": {"task=t"}})
	if got := texts(page, ".note"); len(got) != 2 || got[0] != "done: pause default the mailer is down" || !strings.HasPrefix(got[1], "Paused 1 min ago by ann: the mailer is down.") {
		t.Errorf("says %q", got)
	}
	if got := attr(query(t, page, "input[name=task]"), "value"); got != "t" {
		t.Errorf("the filter is lost: %q", got)
	}
	if got := strings.Join(texts(f.page(t, "/"), ".attention li"), "\n"); !strings.Contains(got, "default is paused; messages in it: 0") {
		t.Errorf("the overview says %q", got)
	}
	page = f.post(t, "/queues/default/resume", nil)
	if got := texts(page, ".note"); !cmp.Equal(got, []string{"done: resume default"}) {
		t.Errorf("says %q", got)
	}
	if w := f.send("/queues/nope/pause", nil); w.Code != http.StatusNotFound {
		t.Errorf("a queue that is none: %d, want 404", w.Code)
	}
	if got := texts(f.page(t, "/queues/default-dead"), "form[action$='/pause']"); len(got) > 0 {
		t.Error("a queue without workers can be paused")
	}
	if want := []string{"pause default the mailer is down", "resume default"}; !cmp.Equal(f.tasks.did, want) {
		t.Errorf("asked for %q, want %q", f.tasks.did, want)
	}
	f.tasks.err = errDown // messages are shown all the same
	f.page(t, "/queues/default")
	f.page(t, "/queues")
}

func TestEffects(t *testing.T) {
	f := newFixture(t)
	key := f.tasks.effects[0].Key
	page := f.page(t, "/effects")
	if got := texts(page, ".card h3"); len(got) != 2 || got[0] != key {
		t.Fatalf("shows %q", got)
	}
	if got := strings.Join(texts(f.page(t, "/"), ".attention li"), "\n"); !strings.Contains(got, "2 effects of which nobody knows whether they happened") {
		t.Errorf("the overview says %q", got)
	}
	page = f.post(t, "/effects/resolve", url.Values{"key": {key}, "sent": {"yes"}})
	if got := texts(page, ".note"); !cmp.Equal(got, []string{"done: resolve " + key + " true"}) {
		t.Errorf("says %q", got)
	}
	f.post(t, "/effects/resolve", url.Values{"key": {"other"}, "sent": {"no"}})
	for _, form := range []url.Values{{"key": {key}}, {"key": {key}, "sent": {"true"}}, {"sent": {"yes"}}} {
		if w := f.send("/effects/resolve", form); w.Code != http.StatusBadRequest {
			t.Errorf("%v: %d, want 400", form, w.Code)
		}
	}
	if want := []string{"resolve " + key + " true", "resolve other false"}; !cmp.Equal(f.tasks.did, want) {
		t.Errorf("asked for %q, want %q", f.tasks.did, want)
	}
	f.tasks.effects = slices.Repeat([]Effect{{Key: "k", State: "unknown"}}, 500)
	page = f.page(t, "/effects")
	if n := len(texts(page, ".card")); n != effectsShown || len(texts(page, ".pager")) != 1 {
		t.Errorf("%d of many are shown", n)
	}
	f.tasks.effects, f.tasks.err = nil, fmt.Errorf("%w: no store", ErrNotFound)
	if got := strings.Join(texts(f.page(t, "/effects"), ".empty"), ""); !strings.Contains(got, "no store of records") {
		t.Errorf("without a ledger: %q", got)
	}
	f.tasks.err = errors.New("the database is down")
	if w := f.get("/effects"); w.Code != http.StatusBadGateway {
		t.Errorf("with a ledger that fails: %d", w.Code)
	}
}

func TestTaskAndCancel(t *testing.T) {
	f := newFixture(t)
	if got := texts(f.page(t, "/task?id=gone"), "#status h2, #status .card p:last-child"); !cmp.Equal(got, []string{"Cancelled", "A worker met it 1 min ago and removed it while it ran."}) {
		t.Errorf("says %q", got)
	}
	if got := texts(f.page(t, "/task?id=runs"), "#status h2, .progress, .error"); !cmp.Equal(got, []string{"Running", "62.5 1,250 of 2,000 pictures", "attempt 1: the disk was full"}) {
		t.Errorf("of one that runs: %q", got)
	}
	done := f.page(t, "/task?id=ran")
	if got := texts(done, "#status h2, #status pre"); !cmp.Equal(got, []string{"Done", `{ "resized": 2000, "skipped": [] }`}) {
		t.Errorf("of one that is done: %q", got)
	}
	if len(texts(done, "form[action='/task/cancel']")) > 0 || len(texts(f.page(t, "/task?id=runs"), "form[action='/task/cancel']")) != 1 {
		t.Error("one that runs can be cancelled, and one that is done cannot")
	}
	page := f.page(t, "/task?id=other")
	if got := attr(query(t, page, ".find a"), "href"); got != "/queues/default?q=other" {
		t.Errorf("looks for its message at %s", got)
	}
	page = f.post(t, "/task/cancel", url.Values{"id": {"other"}, "why": {"w"}})
	if got := texts(page, ".note"); !cmp.Equal(got, []string{"done: cancel other w"}) {
		t.Errorf("says %q", got)
	}
	if w := f.send("/task/cancel", nil); w.Code != http.StatusBadRequest {
		t.Errorf("no id: %d", w.Code)
	}
	if w := f.get("/task?id=" + strings.Repeat("x", 300)); w.Code != http.StatusBadRequest {
		t.Errorf("an id that is none: %d", w.Code)
	}
}

func TestOutboxes(t *testing.T) {
	f := newFixture(t)
	f.tasks.outboxes = append(f.tasks.outboxes, Outbox{Database: "far", Queue: "default", Problem: "it did not answer within 2s"})
	want := []string{
		"Database default, to default: 3 rows to be sent, none set aside",
		"Database orders, to default: 10,000 rows or more to be sent, 2 rows set aside, with the reason, in the table dayfly_outbox_dead",
		"Database far, to default: not counted: it did not answer within 2s"}
	if diff := cmp.Diff(want, texts(f.page(t, "/queues"), ".outboxes li")); diff != "" {
		t.Error(diff)
	}
}

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
