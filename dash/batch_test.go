package dash

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/queue"
)

func TestBatch(t *testing.T) {
	f := newFixture(t)
	page := f.page(t, "/task?id=import")
	want := []string{"A batch under way", "412 of 1,000 members settled, 2 failed", "import/7", "row 7 <b>has no name", "import/19", "task: cancelled"}
	if got := texts(page, "#status h2, #status .progress, #status dt, #status dd"); !cmp.Equal(got, want) {
		t.Errorf("says %q, want %q", got, want)
	}
	if len(texts(page, "form[action='/task/cancel']")) != 1 {
		t.Error("a batch under way can be cancelled")
	}
	b := &Batch{Members: 500, Settled: 500, Complete: now, Failed: 500}
	for i := range 500 {
		b.Failures = append(b.Failures, Failure{ID: fmt.Sprint("many/", i), Error: strings.Repeat("x", 10_000)})
	}
	f.tasks.status["many"] = TaskStatus{ID: "many", Batch: b}
	page = f.page(t, "/task?id=many")
	if n := len(texts(page, "#status dd")); n != failuresShown || !strings.Contains(strings.Join(texts(page, "#status p"), " "), "and 450 more") {
		t.Errorf("%d of 500 failures are listed", n)
	}
	if len(texts(page, "form[action='/task/cancel']")) > 0 {
		t.Error("a batch that is complete can be cancelled")
	}
}

// TestPartOf: a message leads to the chain and the batch it is of.
func TestPartOf(t *testing.T) {
	f := newFixture(t)
	for _, extensions := range []string{`"dayflychain":"{\"id\":\"c1\",\"step\":2}","dayflybatch":"{\"id\":\"b1\"}"`, `"dayflychain":"no JSON","dayflybatch":"[]"`} {
		body := `{"specversion":"1.0","type":"load","id":"t",` + extensions + `}`
		if _, err := f.queues.Send(t.Context(), "default", []queue.Outgoing{{Body: body, Delay: -1}}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, a := range queryAll(f.page(t, "/queues/default"), ".card .meta a") {
		got = append(got, attr(a, "href"))
	}
	if want := []string{"/task?id=t", "/task?id=b1", "/task?id=c1", "/task?id=t"}; !cmp.Equal(got, want) {
		t.Errorf("leads to %q, want %q", got, want)
	}
}
