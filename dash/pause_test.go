package dash

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
