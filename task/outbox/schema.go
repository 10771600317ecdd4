package outbox

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"
)

//go:embed schema/*.sql
var schemas embed.FS

// Version of the tables, that of doc/formats/outbox.md.
const Version = 1

// lockNumber is the advisory lock under which PostgreSQL creates the tables:
// two CREATE TABLE IF NOT EXISTS at once may both find none, and one then fails.
const lockNumber = 0x0da1f1700b0

// VersionError: the tables are of a version this program does not know.
type VersionError struct{ Found int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("outbox: the tables are of version %d, this program knows %d: run the newer one", e.Found, Version)
}

// Schema returns the statements that create the tables, for those who create
// them in migrations of their own; they may be run again. "" for an unknown dialect.
func Schema(d Dialect) string {
	text, err := schemas.ReadFile("schema/" + string(d) + ".sql")
	if err != nil {
		return ""
	}
	return string(text)
}

// Create makes the tables if they are not there; any number of programs may at
// once. Where they are there it only reads, so that it takes no right to create.
// It fails with a *VersionError on tables of a newer version.
func Create(ctx context.Context, db *sql.DB) error {
	d, err := ask(ctx, db)
	if err != nil {
		return err
	}
	return d.create(ctx, db)
}

func (d Dialect) create(ctx context.Context, db *sql.DB) error {
	if known, err := checkVersion(ctx, db); known {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	defer conn.Close()
	for tries := 0; ; tries++ {
		err = d.define(ctx, conn)
		if err == nil {
			_, err = checkVersion(ctx, conn)
			return err
		}
		// Another may be creating them: SQLite without a busy timeout then
		// fails at once.
		if tries == 20 || ctx.Err() != nil {
			return fmt.Errorf("outbox: create the tables (or run the statements of doc/formats/outbox.md with the right to): %w", err)
		}
		if known, err := checkVersion(ctx, conn); known {
			return err
		}
		wait(ctx, nil, 100*time.Millisecond)
	}
}

// checkVersion reads the version of the tables; known is false if it cannot,
// which is so when there are none.
func checkVersion(ctx context.Context, db Tx) (known bool, err error) {
	var version int
	if err := db.QueryRowContext(ctx, "SELECT version FROM dayfly_outbox_relay WHERE id = 1").Scan(&version); err != nil {
		return false, err
	}
	if version != Version {
		return true, &VersionError{version}
	}
	return true, nil
}

// define runs the statements, in a transaction where that is more than a word.
func (d Dialect) define(ctx context.Context, conn *sql.Conn) (err error) {
	begin := map[Dialect][]string{
		PostgreSQL: {"BEGIN", fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", lockNumber)},
		SQLite:     {"BEGIN IMMEDIATE"},
	}[d]
	run := func(statement string) {
		if err == nil {
			_, err = conn.ExecContext(ctx, statement)
		}
	}
	for _, s := range begin {
		run(s)
	}
	for s := range strings.SplitSeq(Schema(d), ";\n") {
		if strings.TrimSpace(s) != "" {
			run(s)
		}
	}
	if len(begin) == 0 {
		return err
	}
	run("COMMIT")
	if err != nil {
		_, undo := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		if d == SQLite && undo != nil { // BEGIN itself failed: there is nothing to roll back
			undo = nil
		}
		err = errors.Join(err, undo)
	}
	return err
}
