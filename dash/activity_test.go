package dash

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
