package sqlrecords

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// versionTable says at which version each table of records is.
const versionTable = "dayfly_schema"

// lockNumber is of the advisory lock in PostgreSQL, where locks have no names.
const lockNumber = 0x0da1f17ec02d

// steps are the statements that bring a table from version n to n+1. A step
// may be run again after it failed half way: MySQL commits each CREATE by
// itself.
var steps = []map[Dialect][]string{createRecords}

// createRecords makes version 1.
var createRecords = map[Dialect][]string{
	SQLite: {
		"CREATE TABLE IF NOT EXISTS {t} (record_key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, version TEXT NOT NULL," +
			" mark TEXT NOT NULL, expires INTEGER NOT NULL) STRICT",
		"CREATE INDEX IF NOT EXISTS {t}_mark ON {t} (mark, record_key) WHERE mark <> ''",
		"CREATE INDEX IF NOT EXISTS {t}_expires ON {t} (expires) WHERE expires > 0",
	},
	// Texts compare byte by byte; room is left in each page so that an update
	// stays in it and touches no index.
	PostgreSQL: {
		`CREATE TABLE IF NOT EXISTS {t} (record_key TEXT COLLATE "C" NOT NULL PRIMARY KEY, value BYTEA NOT NULL,` +
			` version TEXT COLLATE "C" NOT NULL, mark TEXT COLLATE "C" NOT NULL, expires BIGINT NOT NULL) WITH (fillfactor = 80)`,
		"CREATE INDEX IF NOT EXISTS {t}_mark ON {t} (mark, record_key) WHERE mark <> ''",
		"CREATE INDEX IF NOT EXISTS {t}_expires ON {t} (expires) WHERE expires > 0",
	},
	// VARBINARY: every collation holds some texts to be equal that are not.
	MySQL: {
		"CREATE TABLE IF NOT EXISTS {t} (record_key VARBINARY(512) NOT NULL PRIMARY KEY, value MEDIUMBLOB NOT NULL," +
			" version VARBINARY(128) NOT NULL, mark VARBINARY(64) NOT NULL, expires BIGINT NOT NULL," +
			" KEY {t}_mark (mark, record_key), KEY {t}_expires (expires)) ENGINE=InnoDB",
	},
}

// migrate brings a table to the last version. A table that is there already
// needs no right to create any.
func migrate(ctx context.Context, db *sql.DB, d Dialect, table string) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// An error means that there is no table of versions yet, or that the
	// statements below fail too.
	if v, err := schemaVersion(ctx, conn, d, table); err == nil && v == len(steps) {
		return nil
	}
	unlock, err := lockSchema(ctx, conn, d, table)
	if err != nil {
		return fmt.Errorf("waiting for another process that changes the tables: %w", err)
	}
	err = migrateLocked(ctx, conn, d, table)
	return errors.Join(err, unlock(err == nil))
}

func migrateLocked(ctx context.Context, conn *sql.Conn, d Dialect, table string) error {
	create := "CREATE TABLE IF NOT EXISTS " + versionTable + " (name VARCHAR(64) NOT NULL PRIMARY KEY, version INT NOT NULL)"
	if _, err := conn.ExecContext(ctx, create); err != nil {
		return fmt.Errorf("create the table %s: %w", versionTable, err)
	}
	v, err := schemaVersion(ctx, conn, d, table)
	if err != nil {
		return err
	}
	if v > len(steps) {
		return fmt.Errorf("the table %s is of version %d, and this program knows up to %d: use a newer one", table, v, len(steps))
	}
	for ; v < len(steps); v++ {
		for _, text := range steps[v][d] {
			if _, err := conn.ExecContext(ctx, strings.ReplaceAll(text, "{t}", table)); err != nil {
				return fmt.Errorf("bring the table %s to version %d: %w", table, v+1, err)
			}
		}
		text := "UPDATE " + versionTable + " SET version = ? WHERE name = ?"
		if v == 0 {
			text = "INSERT INTO " + versionTable + " (version, name) VALUES (?, ?)"
		}
		if _, err := conn.ExecContext(ctx, d.bind(text), v+1, table); err != nil {
			return err
		}
	}
	return nil
}

// schemaVersion is 0 where there is no table yet.
func schemaVersion(ctx context.Context, conn *sql.Conn, d Dialect, table string) (v int, err error) {
	err = conn.QueryRowContext(ctx, d.bind("SELECT version FROM "+versionTable+" WHERE name = ?"), table).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return v, err
}

// lockSchema keeps processes that start at once from changing tables at once.
// Where the database can, what was changed is undone by unlock(false).
func lockSchema(ctx context.Context, conn *sql.Conn, d Dialect, table string) (unlock func(keep bool) error, err error) {
	exec := func(ctx context.Context, text string, args ...any) error {
		_, err := conn.ExecContext(ctx, text, args...)
		return err
	}
	end := func(keep bool) error {
		if keep {
			return exec(context.WithoutCancel(ctx), "COMMIT")
		}
		return exec(context.WithoutCancel(ctx), "ROLLBACK")
	}
	switch d {
	case SQLite:
		return end, exec(ctx, "BEGIN IMMEDIATE")
	case PostgreSQL:
		if err := exec(ctx, "BEGIN"); err != nil {
			return nil, err
		}
		if err := exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(lockNumber)); err != nil {
			return nil, errors.Join(err, end(false))
		}
		return end, nil
	}
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 60)", versionTable+"."+table).Scan(&got); err != nil {
		return nil, err
	} else if got.Int64 != 1 {
		return nil, errors.New("it did not end within a minute")
	}
	return func(bool) error {
		return exec(context.WithoutCancel(ctx), "DO RELEASE_LOCK(?)", versionTable+"."+table)
	}, nil
}
