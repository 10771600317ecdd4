package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrations embed.FS

// lockName and lockNumber keep processes that start at once from changing
// tables at once.
const (
	lockName   = "dayfly_releases_migrate"
	lockNumber = 0x0da1f17e1ea5
)

// migrate brings the tables to the last step. A step is run once; each is
// written so that running it again after a crash in its middle does no harm,
// since MySQL commits every CREATE by itself.
func (d *DB) migrate(ctx context.Context) (err error) {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(steps)
	conn, err := d.sql.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	unlock, err := d.lock(ctx, conn)
	if err != nil {
		return fmt.Errorf("waiting for another process that changes the tables: %w", err)
	}
	defer func() {
		if e := unlock(); e != nil && err == nil {
			err = fmt.Errorf("after the tables were changed: %w", e)
		}
	}()
	create := "CREATE TABLE IF NOT EXISTS migrations (step VARCHAR(100) NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL) " + d.options()
	if _, err := conn.ExecContext(ctx, create); err != nil {
		return err
	}
	var last sql.NullString
	if err := conn.QueryRowContext(ctx, "SELECT MAX(step) FROM migrations").Scan(&last); err != nil {
		return err
	}
	if newest := steps[len(steps)-1]; last.String > newest {
		return fmt.Errorf("its tables are of a newer version of this program (%s): run that one", last.String)
	}
	for _, step := range steps {
		if step <= last.String {
			continue
		}
		if err := d.apply(ctx, conn, step); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	return nil
}

func (d *DB) apply(ctx context.Context, conn *sql.Conn, step string) error {
	text, err := migrations.ReadFile(step)
	if err != nil {
		return err
	}
	for statement := range strings.SplitSeq(strings.ReplaceAll(string(text), "{options}", d.options()), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, d.bind("INSERT INTO migrations (step, applied_at) VALUES (?, ?)"), step, time.Now().UnixMilli())
	return err
}

func (d *DB) options() string {
	if d.dialect == mariadb {
		return "ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	}
	return ""
}

// lock is held by one connection until unlock, with which the changes last.
func (d *DB) lock(ctx context.Context, conn *sql.Conn) (unlock func() error, err error) {
	exec := func(q string, args ...any) error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), q, args...)
		return err
	}
	switch d.dialect {
	case sqlite:
		if err := exec("BEGIN IMMEDIATE"); err != nil {
			return nil, err
		}
		return func() error { return exec("COMMIT") }, nil
	case postgres:
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(lockNumber)); err != nil {
			return nil, err
		}
		return func() error { return exec("SELECT pg_advisory_unlock($1)", int64(lockNumber)) }, nil
	default:
		var got sql.NullInt64
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 60)", lockName).Scan(&got); err != nil {
			return nil, err
		}
		if got.Int64 != 1 {
			return nil, fmt.Errorf("it took more than 60 s")
		}
		return func() error { return exec("DO RELEASE_LOCK(?)", lockName) }, nil
	}
}
