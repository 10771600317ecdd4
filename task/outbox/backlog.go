package outbox

import (
	"context"
	"database/sql"
	"fmt"
)

// MaxBacklog is as far as Backlog counts, in rows.
const MaxBacklog = 10_000

// Backlog counts the rows that wait for a relay and those it set aside, each to
// MaxBacklog: there may be more. It reads only, and no more than these rows.
func Backlog(ctx context.Context, db *sql.DB) (waiting, dead int, err error) {
	for table, n := range map[string]*int{"dayfly_outbox": &waiting, "dayfly_outbox_dead": &dead} {
		// An index serves it in all three; COUNT(*) alone would go through all.
		statement := fmt.Sprintf("SELECT COUNT(*) FROM (SELECT seq FROM %s LIMIT %d) AS counted", table, MaxBacklog)
		if err := db.QueryRowContext(ctx, statement).Scan(n); err != nil {
			return 0, 0, fmt.Errorf("outbox: count the rows of %s: %w", table, err)
		}
	}
	return waiting, dead, nil
}
