package outbox_test

import (
	"testing"

	"github.com/dayfly-dev/dayfly/task/outbox"
)

// TestBacklog: both tables are counted, no further than is promised.
func TestBacklog(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		r := newRig(t, d, nil)
		want := func(waiting, dead int) {
			t.Helper()
			w, n, err := outbox.Backlog(t.Context(), r.db)
			if err != nil || w != waiting || n != dead {
				t.Errorf("%d wait, %d are set aside, %v; want %d and %d", w, n, err, waiting, dead)
			}
		}
		want(0, 0)
		r.execute("INSERT INTO dayfly_outbox (body) VALUES ('a'), ('b'), ('c')")
		r.execute("INSERT INTO dayfly_outbox_dead (seq, queue, body, created_ms, error, failed_ms) VALUES (1, 'nowhere', 'x', 0, 'no such queue', 0)")
		want(3, 1)
		for n := 3; n <= outbox.MaxBacklog; n *= 2 {
			r.execute("INSERT INTO dayfly_outbox (body) SELECT body FROM dayfly_outbox")
		}
		want(outbox.MaxBacklog, 1)
		r.execute("DROP TABLE dayfly_outbox_dead")
		if _, _, err := outbox.Backlog(t.Context(), r.db); err == nil {
			t.Error("a table that is not there has no rows")
		}
	})
}
