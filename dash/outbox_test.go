package dash

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
