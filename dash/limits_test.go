package dash

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rows are the cells of a table, without what opens on a button.
func rows(t *testing.T, f *fixture, path, table string) (all []string) {
	t.Helper()
	for _, row := range queryAll(f.page(t, path), table+" tbody tr") {
		cells := texts(row, "tr > *")
		for i, c := range cells {
			if c, _, cut := strings.Cut(c, "… "); cut {
				cells[i] = c + "…"
			}
		}
		all = append(all, strings.Join(cells, " | "))
	}
	return all
}

func TestLimits(t *testing.T) {
	f := newFixture(t)
	want := []string{
		"default | 50 at once | 50 of 50 in 4 workers | 31 tasks in workers; the last of those sent away comes again in 11 min",
		"default call_api | 100 a minute, 20 after a rest | the next begins in 1.2 s | 1 task in workers",
		"default import per tenant each of its own | 2 at once; 10 in 10 s | a row for each in use | –",
	}
	got := rows(t, f, "/limits", "table.limits")
	if len(got) != len(f.tasks.limits) || !cmp.Equal(got[:3], want) {
		t.Error(cmp.Diff(want, got))
	}
	if got[4] != "the provider's own <b>limit | 1,000 a day | nothing | –" || !strings.HasPrefix(got[5], "old | not said by its workers | 3 in 2 workers | ") {
		t.Errorf("%q", got[4:])
	}
	if got := rows(t, f, "/limits?q=TENANT=a", "table.limits"); len(got) != 1 {
		t.Errorf("filtered: %q", got)
	}
	if got := texts(f.page(t, "/limits?q=none"), "#limits .empty"); !cmp.Equal(got, []string{"No limit that was used within the last hour matches."}) {
		t.Errorf("%q", got)
	}
	if href := queryAttr(t, f.page(t, "/limits"), "table.limits td a", "href"); href != "/queues/default?q=default" {
		t.Errorf("those that were sent away are at %s", href)
	}
	if got := rows(t, f, "/queues/default", "#queue-limits table.limits"); len(got) != 4 {
		t.Errorf("the queue's page has %q", got)
	}
	if got := rows(t, f, "/queues/default-dead", "#queue-limits"); len(got) != 0 {
		t.Errorf("of another queue: %q", got)
	}
}

// TestLimitsMany: of many thousands a page is shown, and all can be reached.
func TestLimitsMany(t *testing.T) {
	f := newFixture(t)
	f.tasks.limits = nil
	for i := range 5_000 {
		f.tasks.limits = append(f.tasks.limits, Limit{Name: fmt.Sprintf("default per tenant=%d", i), Queue: "default", Concurrency: 1})
	}
	seen, path := 0, "/limits"
	for pages := 0; path != "" && pages < 100; pages++ {
		page := f.page(t, path)
		n := len(queryAll(page, "table.limits tbody tr"))
		if n > limitsShown {
			t.Fatalf("%s shows %d", path, n)
		}
		seen += n
		path = ""
		for _, a := range queryAll(page, ".pager a") {
			if text(a) == "Next page" {
				path = attr(a, "href")
			}
		}
	}
	if seen != 5_000 {
		t.Errorf("%d of 5,000 were shown", seen)
	}
	if got := texts(f.page(t, "/limits?q=tenant=4999"), "#limits"); len(got) != 1 || !strings.Contains(got[0], "None of 2,000 looked through matches. Look further") {
		t.Errorf("%q", got)
	}
	page := f.page(t, "/queues/default")
	if n := len(queryAll(page, "#queue-limits tbody tr")); n != limitsBrief {
		t.Errorf("the queue's page has %d", n)
	}
	if got := texts(page, "#queue-limits .pager"); !cmp.Equal(got, []string{"All limits of this queue"}) {
		t.Errorf("%q", got)
	}
	f.tasks.err = errDown // the rest of the page is there all the same
	if got := texts(f.page(t, "/queues/default"), "#queue-limits .note, #messages .empty"); len(got) != 2 {
		t.Errorf("when they cannot be read: %q", got)
	}
}

func TestLimitTerms(t *testing.T) {
	for want, l := range map[string]Limit{
		"not said by its workers":           {},
		"1 at once":                         {Concurrency: 1},
		"1 in 10 s":                         {Rate: 1, Per: 10 * time.Second, Burst: 1},
		"7 a second, 5 after a rest":        {Rate: 7, Per: time.Second, Burst: 5},
		"10,000 at once; 1,000,000 an hour": {Concurrency: 10_000, Rate: 1_000_000, Per: time.Hour, Burst: 1},
	} {
		if got := l.Terms(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLimitsJSON(t *testing.T) {
	f := newFixture(t)
	var got LimitList
	if err := json.Unmarshal(f.get("/limits?format=json").Body.Bytes(), &got); err != nil || !cmp.Equal(got.Limits, f.tasks.limits) {
		t.Error(err, cmp.Diff(f.tasks.limits, got.Limits))
	}
}
