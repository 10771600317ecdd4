package dash

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

// workers that run as many tasks each, of which they name at most a hundred.
func workers(n, each int) (all []Worker) {
	for w := range n {
		x := Worker{Host: fmt.Sprintf("web%d", w+1), PID: 4711, At: now, Total: each}
		if each > 0 {
			x.Oldest = now.Add(-time.Duration(each) * time.Second)
		}
		for i := range min(each, 100) {
			x.Runs = append(x.Runs, TaskRun{ID: fmt.Sprintf("0197-%d-%d", w, i), Task: "import", Attempt: 1, Began: now.Add(-time.Duration(i+1) * time.Second)})
		}
		all = append(all, x)
	}
	return all
}

func TestRunning(t *testing.T) {
	f := newFixture(t)
	none := func() string { return strings.Join(texts(f.page(t, "/queues/default"), "#running .empty"), "") }
	if got := none(); !strings.HasPrefix(got, "No worker says that it runs anything.") {
		t.Errorf("without a word of any worker: %q", got)
	}
	f.tasks.works(workers(2, 0)...)
	if got := none(); got != "Nothing runs. 2 workers wait for tasks of this queue." {
		t.Errorf("when nothing runs: %q", got)
	}

	w := workers(1, 3)[0]
	w.Runs[0].Key, w.Runs[0].Done, w.Runs[0].Text = "shop-17", 62.5, "1,250 of 2,000 <b>"
	w.Runs[1].Ending = "task: cancelled"
	w.Runs[2].Attempt = 4
	f.tasks.works(w, workers(2, 1)[1])
	page := f.page(t, "/queues/default")
	if got := texts(page, "#running > section > p"); !cmp.Equal(got, []string{"4 tasks run, the longest for 3 s: 3 in web1/4711, 1 in web2/4711."}) {
		t.Errorf("says %q", got)
	}
	want := []string{
		"import 0197-0-0 | shop-17 | 1 s ago | 1 | web1/4711 | 62.5 1,250 of 2,000 <b> | Cancel…",
		"import 0197-1-0 | – | 1 s ago | 1 | web2/4711 | – | Cancel…",
		"import 0197-0-1 | – | 2 s ago | 1 | web1/4711 | told to end: task: cancelled |",
		"import 0197-0-2 | – | 3 s ago | 4 | web1/4711 | – | Cancel…",
	}
	var got []string
	for _, row := range queryAll(page, "#running tbody tr") {
		cells := texts(row, "tr > *")
		cells[6], _, _ = strings.Cut(cells[6], " ")
		got = append(got, strings.TrimSpace(strings.Join(cells, " | ")))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if button := queryAttr(t, page, "#running button[popovertarget]", "popovertarget"); button != queryAttr(t, page, "#running [popover]", "id") {
		t.Errorf("the button opens %q", button)
	}
	page = f.post(t, "/task/cancel", url.Values{"id": {"0197-0-0"}, "queue": {"default"}, "view": {"task=import"}, "why": {"w"}})
	if got := texts(page, ".note, h1"); !cmp.Equal(got, []string{"done: cancel 0197-0-0 w", "default"}) || queryAttr(t, page, "input[name=task]", "value") != "import" {
		t.Errorf("after the press of Cancel: %q", got)
	}
	f.tasks.err = errDown // the rest of the page is there all the same
	if got := texts(f.page(t, "/queues/default"), "#running .note, #messages .empty"); len(got) != 2 || !strings.Contains(got[0], errDown.Error()) {
		t.Errorf("when it cannot be read: %q", got)
	}
	if got := texts(f.page(t, "/queues/default-dead"), "#running section"); len(got) > 0 {
		t.Errorf("of a queue without workers: %q", got)
	}
}

// TestRunningMany: of a thousand tasks in forty workers the newest are listed,
// and all are counted.
func TestRunningMany(t *testing.T) {
	f := newFixture(t)
	f.tasks.works(workers(40, 25)...)
	page := f.page(t, "/queues/default")
	if n := len(queryAll(page, "#running tbody tr")); n != runsShown {
		t.Errorf("%d are listed", n)
	}
	got := texts(page, "#running > section > p")
	if len(got) != 1 || !strings.HasPrefix(got[0], "1,000 tasks run, the longest for 25 s: 25 in web1/4711,") ||
		!strings.HasSuffix(got[0], "the rest in 28 more workers. The newest 50 are listed.") {
		t.Errorf("says %q", got)
	}
	var shown struct{ Running running }
	if err := json.Unmarshal(f.get("/queues/default?format=json").Body.Bytes(), &shown); err != nil {
		t.Fatal(err)
	}
	if r := shown.Running; r.Total != 1000 || len(r.Tasks) != runsShown || len(r.Workers) != 40 || !r.Oldest.Equal(now.Add(-25*time.Second)) {
		t.Errorf("as JSON: %d, %d, %d, %v", r.Total, len(r.Tasks), len(r.Workers), r.Oldest)
	}
}

// TestInFlight: what no worker names is counted, and found by its state.
func TestInFlight(t *testing.T) {
	f := newFixture(t)
	for i := range 5 {
		body := fmt.Sprintf(`{"specversion":"1.0","type":"import","id":"i%d"}`, i)
		if _, err := f.queues.Send(t.Context(), "default", []queue.Outgoing{{Body: body, Delay: time.Duration(i/4) * time.Minute}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.queues.Receive(t.Context(), "default", queue.ReceiveOptions{Max: 3, Visibility: time.Minute}); err != nil {
		t.Fatal(err)
	}
	f.tasks.works(workers(1, 1)...)
	page := f.page(t, "/queues/default")
	if got := texts(page, "#running > section > p:last-child"); len(got) != 1 || !strings.HasPrefix(got[0], "2 more messages are in flight: ") {
		t.Errorf("says %q", got)
	}
	for query, want := range map[string][]string{
		queryAttr(t, page, "#running > section > p:last-child a", "href"): {"i0", "i1", "i2"},
		"/queues/default?state=visible":                                   {"i3"},
		"/queues/default?state=delayed":                                   {"i4"},
		"/queues/default?state=other":                                     {"i0", "i1", "i2", "i3", "i4"},
	} {
		if got := texts(f.page(t, query), ".card .meta code"); !cmp.Equal(got, want) {
			t.Errorf("%s shows %q, want %q", query, got, want)
		}
	}
	f.Now = time.Now // so that they were sent before
	page = f.post(t, "/queues/default/delete-matching", url.Values{"state": {"delayed"}, "confirm": {"default"}})
	if got := texts(page, ".note"); !cmp.Equal(got, []string{"Deleted 1 message"}) {
		t.Errorf("says %q", got)
	}
}

// TestRunningElsewhere: a page of queues that cost to look at shows soon what
// workers say when it asks, not when it is looked at the next time.
func TestRunningElsewhere(t *testing.T) {
	f := newFixture(t)
	o := f.Options
	o.Queues, o.QueueService, o.Refresh = unbrowsable{f.queues}, "Amazon SQS, eu-west-1", 1500*time.Millisecond // follow waits for less than 15 times that
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.Dash = d
	r := follow(t, serve(t, f), "/queues/default")
	for e := r.next(t); e.ID != "messages"; e = r.next(t) { // the last of the first look
		if e.ID == "running" && !strings.Contains(e.HTML, "No worker says") {
			t.Errorf("at first: %s", e.HTML)
		}
	}
	f.tasks.works(workers(1, 1)...)
	for e := r.next(t); e.ID != "running"; e = r.next(t) {
	}
	r.leave()
}
