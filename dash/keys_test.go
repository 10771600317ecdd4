package dash

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

func TestKeys(t *testing.T) {
	f := newFixture(t)
	got := rows(t, f, "/keys", "table.keys")
	want := []string{
		"reindex | shop-17 | 0197c3d2-6c1f-7a7e in default | 4 min ago | in 56 min | Release…",
		"reindex | its arguments | " + longID[:36] + "… perhaps not enqueued; the next one takes it over",
	}
	if len(got) != 3 || got[0] != want[0] || !strings.Contains(got[2], "about to be enqueued") {
		t.Errorf("%q", got)
	}
	page := f.page(t, "/keys?q=shop")
	if n := len(queryAll(page, "table.keys tbody tr")); n != 1 {
		t.Errorf("filtered: %d", n)
	}
	form := url.Values{"q": {"shop"}}
	for _, name := range []string{"key", "id"} {
		form.Set(name, queryAttr(t, page, "form[action='/keys/release'] input[name="+name+"]", "value"))
	}
	page = f.post(t, "/keys/release", form)
	if got := texts(page, ".note"); !cmp.Equal(got, []string{"done: release reindex shop-17 of 0197c3d2-6c1f-7a7e"}) {
		t.Errorf("says %q", got)
	}
	if got := texts(page, "#keys .empty"); !cmp.Equal(got, []string{"No key that is held matches."}) {
		t.Errorf("after it: %q", got)
	}
	for _, form := range []url.Values{{}, {"key": {"reindex shop-17"}}, {"id": {"x"}}} {
		if code := f.send("/keys/release", form).Code; code != 400 {
			t.Errorf("%v is answered %d", form, code)
		}
	}
}

// TestKeysMany: of many thousands a page is shown, and all can be reached.
func TestKeysMany(t *testing.T) {
	f := newFixture(t)
	f.tasks.keys = nil
	for i := range 4_120 {
		f.tasks.keys = append(f.tasks.keys, Key{Key: fmt.Sprint("t ", i), Task: "t", Name: fmt.Sprint(i), ID: "x", Since: now, Until: now})
	}
	seen, path := 0, "/keys"
	for pages := 0; path != "" && pages < 100; pages++ {
		page := f.page(t, path)
		seen += len(queryAll(page, "table.keys tbody tr"))
		path = ""
		for _, a := range queryAll(page, ".pager a") {
			if text(a) == "Next page" {
				path = attr(a, "href")
			}
		}
	}
	if seen != 4_120 {
		t.Errorf("%d were shown", seen)
	}
}

// TestRunNow: a message that waits says why, and can be told to begin; one that
// does not wait has no such button.
func TestRunNow(t *testing.T) {
	f := newFixture(t)
	far := now.Add(48 * time.Hour).Format(time.RFC3339)
	for i, o := range []queue.Outgoing{
		{Body: `{"specversion":"1.0","type":"t","id":"later"}`, Delay: 10 * time.Minute},
		{Body: `{"specversion":"1.0","type":"t","id":"far","notbefore":"` + far + `"}`, Delay: 15 * time.Minute},
		{Body: `{"specversion":"1.0","type":"t","id":"limited"}`, Delay: 5 * time.Minute,
			Attributes: map[string]queue.Attribute{attrLimit: {DataType: "String", String: "default call_api"}}},
		{Body: `{"specversion":"1.0","type":"t","id":"now"}`},
	} {
		if _, err := f.queues.Send(t.Context(), "default", []queue.Outgoing{o}); err != nil {
			t.Fatal(i, err)
		}
	}
	page := f.page(t, "/queues/default")
	said := texts(page, ".card .meta > span:first-child")
	for i, want := range []string{"delayed, visible in", "delayed, not before in 2 d", "waits for the limit default call_api, visible in", "visible"} {
		if i >= len(said) || !strings.HasPrefix(said[i], want) {
			t.Errorf("message %d says %q, want %q", i, said, want)
		}
	}
	if n := len(queryAll(page, "form[action='/queues/default/run-now']")); n != 3 {
		t.Errorf("%d messages have the button", n)
	}
	if got := texts(f.page(t, "/queues/default?q=call_api"), ".card .meta code"); !cmp.Equal(got, []string{"limited"}) {
		t.Errorf("what waits for the limit: %q", got)
	}
	id := queryAttr(t, page, "form[action='/queues/default/run-now'] input[name=id]", "value")
	page = f.post(t, "/queues/default/run-now", url.Values{"id": {id}})
	if got := texts(page, ".note"); len(got) != 1 || !strings.HasPrefix(got[0], `done: run now default {"specversion":"1.0","type":"t","id":"later"`) {
		t.Errorf("says %q", got)
	}
	if code := f.send("/queues/default/run-now", url.Values{"id": {"gone"}}).Code; code != 404 {
		t.Errorf("of a message that is not there: %d", code)
	}
	if code := f.send("/queues/default/run-now", url.Values{}).Code; code != 400 {
		t.Errorf("without an id: %d", code)
	}
}
