// Package store keeps the release watcher's state in the database that
// DATABASE_URL names: SQLite, PostgreSQL or MySQL/MariaDB, with the same
// tables and the same promises. What a method wrote is committed when it
// returns; every write may be repeated without harm.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	sqlitedriver "modernc.org/sqlite" // registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// DB is the database. Its methods may be called at once, from any number of
// processes.
type DB struct {
	sql     *sql.DB
	dialect dialect
}

type dialect string

const (
	sqlite   dialect = "sqlite"
	postgres dialect = "postgres"
	mariadb  dialect = "mysql"
)

// Open connects to the database of an address (sqlite:////path/of.db,
// postgres://…, mysql://user:password@host:3306/name) and brings its tables to
// this program's version; several processes may do so at once.
func Open(ctx context.Context, address string) (*DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL is not an address") // it may hold a password: not repeated
	}
	d := new(DB)
	switch u.Scheme {
	case "sqlite":
		err = d.openSQLite(ctx, u)
	case "postgres", "postgresql":
		err = d.openPostgres(address)
	case "mysql", "mariadb":
		err = d.openMySQL(u)
	default:
		return nil, fmt.Errorf("DATABASE_URL begins with %q; sqlite://, postgres:// and mysql:// are known", u.Scheme+":")
	}
	if err != nil {
		return nil, err
	}
	d.sql.SetMaxOpenConns(8)
	d.sql.SetConnMaxIdleTime(5 * time.Minute)
	if err := d.migrate(ctx); err != nil {
		d.sql.Close()
		return nil, fmt.Errorf("database (%s): %w", d.dialect, err)
	}
	return d, nil
}

// openSQLite: a write is on disk when it is committed (synchronous FULL), and
// processes wait for each other instead of failing (busy_timeout, and a
// transaction takes the lock at its beginning).
func (d *DB) openSQLite(ctx context.Context, u *url.URL) error {
	path := u.Path
	if strings.HasPrefix(path, "//") {
		path = path[1:]
	}
	if u.Opaque != "" {
		path = u.Opaque
	}
	if path == "" || u.Host != "" {
		return fmt.Errorf("DATABASE_URL: sqlite takes a file: sqlite:////absolute/path.db")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(20000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	var err error
	d.dialect = sqlite
	d.sql, err = sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return err
	}
	if err := d.connectSQLite(ctx); err != nil {
		return errors.Join(err, d.sql.Close())
	}
	return nil
}

// connectSQLite makes the first connection. It turns a new file to WAL, and of
// several processes that do so at once SQLite refuses all but one without
// waiting, whatever busy_timeout says: they try again, for 20 s.
func (d *DB) connectSQLite(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		err := d.sql.PingContext(ctx)
		var e *sqlitedriver.Error
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (d *DB) openPostgres(address string) error {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return fmt.Errorf("DATABASE_URL is not an address PostgreSQL understands") // may hold a password
	}
	d.dialect, d.sql = postgres, stdlib.OpenDB(*c)
	return nil
}

// openMySQL takes ?socket=/path for a local server without TCP, and ?tls=true.
func (d *DB) openMySQL(u *url.URL) error {
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = u.Hostname() + ":3306"
	}
	if s := u.Query().Get("socket"); s != "" {
		c.Net, c.Addr = "unix", s
	}
	c.TLSConfig = u.Query().Get("tls")
	c.DBName = strings.TrimPrefix(u.Path, "/")
	c.Timeout = 10 * time.Second
	// Rows matched, not rows changed, as the other databases count.
	c.ClientFoundRows = true
	if err := c.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return fmt.Errorf("DATABASE_URL is not an address MySQL understands")
	}
	d.dialect, d.sql = mariadb, sql.OpenDB(connector)
	return nil
}

// Close ends all connections.
func (d *DB) Close() error { return d.sql.Close() }

// Kind names the database: sqlite, postgres or mysql.
func (d *DB) Kind() string { return string(d.dialect) }

// Prove asks the database for a row it must have.
func (d *DB) Prove(ctx context.Context) error {
	var n int
	if err := d.sql.QueryRowContext(ctx, "SELECT COUNT(*) FROM migrations").Scan(&n); err != nil {
		return fmt.Errorf("database does not answer: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("database has lost its tables")
	}
	return nil
}

// bind writes the ? of a statement as the database wants them.
func (d *DB) bind(q string) string {
	if d.dialect != postgres {
		return q
	}
	var b strings.Builder
	n := 0
	for _, r := range q {
		if r == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// upsert writes the statement that inserts rows, or updates the rest of the
// columns where the key is there.
func (d *DB) upsert(table string, key, rest []string, rows int) string {
	cols := append(append([]string{}, key...), rest...)
	q := "INSERT INTO " + table + " (" + strings.Join(cols, ", ") + ") VALUES " + tuples(len(cols), rows)
	if d.dialect == mariadb {
		sets := make([]string, 0, len(rest))
		for _, c := range rest {
			sets = append(sets, c+" = VALUES("+c+")")
		}
		if len(sets) == 0 {
			sets = append(sets, key[0]+" = "+key[0])
		}
		return q + " ON DUPLICATE KEY UPDATE " + strings.Join(sets, ", ")
	}
	q += " ON CONFLICT (" + strings.Join(key, ", ") + ") DO "
	if len(rest) == 0 {
		return d.bind(q + "NOTHING")
	}
	sets := make([]string, 0, len(rest))
	for _, c := range rest {
		sets = append(sets, c+" = excluded."+c)
	}
	return d.bind(q + "UPDATE SET " + strings.Join(sets, ", "))
}

func tuples(cols, rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", cols), ", ") + ")"
	return strings.TrimSuffix(strings.Repeat(one+", ", rows), ", ")
}

// inTx runs f in a transaction.
func (d *DB) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
