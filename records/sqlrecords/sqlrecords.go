// Package sqlrecords keeps records in a table of SQLite, PostgreSQL (12 or
// later), MySQL (8.0 or later) or MariaDB (10.5 or later): the database that an
// application has anyway. The table is described in doc/formats/records.md.
//
// Every write is one statement that looks at the version and writes in one
// step, in a transaction of its own; MySQL takes another one, and a read, to
// make a record where there is one. Durable is what the database made durable: New refuses
// one whose settings let a commit be lost (Options.Lossy).
//
// A database of several machines must be asked at the one that takes the
// writes: a replica that lags shows records as they were.
package sqlrecords

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// DefaultTable is the name of the table.
const DefaultTable = "dayfly_records"

// Options of a Store; nil is the defaults.
type Options struct {
	// Table keeps the records, a letter and then up to 47 of a–z, 0–9 and "_".
	// Default DefaultTable.
	Table string
	// Lossy accepts a database whose settings let a crash of the machine take
	// back what was committed. Default false.
	Lossy bool
	// CloseDB has Close close the *sql.DB too. Default false: it is the caller's.
	CloseDB bool
}

// Store implements driver.Store.
type Store struct {
	db      *sql.DB
	dialect Dialect
	closeDB bool
	closed  atomic.Bool
	// writing lets one goroutine of this process write where the database is a
	// file: SQLite lets writers sleep and try again, which is slow and unfair.
	writing chan struct{}

	get, list, insert, update, remove, sweep *statement
}

var _ driver.Store = (*Store)(nil)

var tableName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// New brings the table of db to this program's version, which any number of
// processes may do at once, tries to write to it, which leaves nothing, and
// returns a Store on it. The connections of db
// must be able to write; those of SQLite need a busy timeout and synchronous
// FULL, as package open sets them.
func New(ctx context.Context, db *sql.DB, d Dialect, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	table := o.Table
	if table == "" {
		table = DefaultTable
	}
	if !tableName.MatchString(table) {
		return nil, fmt.Errorf("sqlrecords: table %q is not a letter and up to 47 of a-z, 0-9 and _", table)
	}
	s := &Store{db: db, dialect: d, closeDB: o.CloseDB}
	if err := s.ready(ctx, table, o.Lossy); err != nil {
		return nil, fmt.Errorf("sqlrecords: %s: %w", d, err)
	}
	return s, nil
}

func (s *Store) ready(ctx context.Context, table string, lossy bool) error {
	texts, err := s.dialect.statements(table)
	if err != nil {
		return err
	}
	if !lossy {
		if err := s.dialect.checkDurable(ctx, s.db); err != nil {
			return err
		}
	}
	if err := migrate(ctx, s.db, s.dialect, table); err != nil {
		return err
	}
	if s.dialect == SQLite {
		s.writing = make(chan struct{}, 1)
	}
	if err := s.prove(ctx, table, texts); err != nil {
		return err
	}
	return s.prepare(ctx, texts)
}

// Get implements driver.Store.
func (s *Store) Get(ctx context.Context, key string) (driver.Record, error) {
	r, err := s.read(ctx, key)
	if err == nil && expired(r) {
		return driver.Record{}, driver.ErrNotFound
	}
	return r, err
}

// read returns a record even if it expired.
func (s *Store) read(ctx context.Context, key string) (driver.Record, error) {
	if s.closed.Load() {
		return driver.Record{}, driver.ErrClosed
	}
	r := driver.Record{Key: key}
	var expires int64
	err := s.get.row(ctx, key).Scan(&r.Value, &r.Version, &r.Mark, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return driver.Record{}, driver.ErrNotFound
	} else if err != nil {
		return driver.Record{}, plain(ctx, err)
	}
	r.Expires = fromSeconds(expires)
	return r, nil
}

func expired(r driver.Record) bool {
	return !r.Expires.IsZero() && !r.Expires.After(time.Now())
}

// pageBytes is after how many bytes of values a page of List ends.
const pageBytes = 4 << 20

// List implements driver.Store; it goes on after the key from.
func (s *Store) List(ctx context.Context, mark, from string, n int) (found []driver.Record, next string, err error) {
	if s.closed.Load() {
		return nil, "", driver.ErrClosed
	}
	rows, err := s.list.rows(ctx, mark, from, time.Now().Unix(), n)
	if err != nil {
		return nil, "", plain(ctx, err)
	}
	defer rows.Close()
	size := 0
	for rows.Next() {
		r := driver.Record{Mark: mark}
		var expires int64
		var value sql.RawBytes
		if err := rows.Scan(&r.Key, &value, &r.Version, &expires); err != nil {
			return nil, "", plain(ctx, err)
		}
		r.Value, r.Expires = bytes.Clone(value), fromSeconds(expires)
		found = append(found, r)
		if size += len(value); size >= pageBytes {
			break
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", plain(ctx, err)
	}
	if len(found) == n || size >= pageBytes {
		next = found[len(found)-1].Key
	}
	return found, next, nil
}

// Close implements driver.Store. Calls under way go on to their end unless
// Options.CloseDB is set.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	err := s.unprepare()
	if s.closeDB {
		err = errors.Join(err, s.db.Close())
	}
	return err
}

// plain says that the context ended where a driver says how it noticed.
func plain(ctx context.Context, err error) error {
	if e := ctx.Err(); e != nil && !errors.Is(err, e) {
		return fmt.Errorf("%w (%w)", e, err)
	}
	return err
}

// seconds is how the table has a time; 0 is never.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromSeconds(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
