package dash

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
