package dash

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
	f.tasks.effects = []Effect{{Key: "known", State: "sent", Error: "its worker says so"}, {Key: "word", State: "not-sent"}}
	page = f.page(t, "/effects")
	if got := texts(page, ".card summary"); !cmp.Equal(got, []string{"It was sent…", "Send again…"}) {
		t.Errorf("of what is known by now the buttons are %q", got)
	}
	if got := strings.Join(texts(f.page(t, "/"), ".attention li"), "\n"); !strings.Contains(got, "or whose dead letters wait") {
		t.Errorf("the overview says %q", got)
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
