package sqlrecords

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Put implements driver.Store.
func (s *Store) Put(ctx context.Context, r driver.Record) (string, error) {
	if r.Value == nil {
		r.Value = []byte{} // an empty value, not NULL
	}
	version := rand.Text()
	var n int64
	var err error
	if r.Version == "" {
		n, err = s.make(ctx, r, version)
	} else {
		n, err = s.write(ctx, s.update, r.Value, version, r.Mark, seconds(r.Expires), r.Key, r.Version)
	}
	if err = decided(n, err); err != nil {
		return "", err
	}
	return version, nil
}

// make writes a record where there is none, or an expired one.
func (s *Store) make(ctx context.Context, r driver.Record, version string) (int64, error) {
	if s.dialect != MySQL {
		return s.write(ctx, s.insert, r.Key, r.Value, version, r.Mark, seconds(r.Expires), time.Now().Unix())
	}
	for range writeTries {
		n, err := s.write(ctx, s.insert, r.Key, r.Value, version, r.Mark, seconds(r.Expires))
		if !isDuplicate(err) {
			return n, err
		}
		old, err := s.read(ctx, r.Key)
		if errors.Is(err, driver.ErrNotFound) {
			continue // removed between the two
		} else if err != nil {
			return 0, err
		}
		if !expired(old) {
			return 0, nil
		}
		n, err = s.write(ctx, s.update, r.Value, version, r.Mark, seconds(r.Expires), r.Key, old.Version)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, fmt.Errorf("the record was made and removed %d times while it was to be made", writeTries)
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, key, version string) error {
	return decided(s.write(ctx, s.remove, key, version))
}

// Sweep implements driver.Store.
func (s *Store) Sweep(ctx context.Context, n int) (int, error) {
	removed, err := s.write(ctx, s.sweep, time.Now().Add(-time.Hour).Unix(), n)
	return int(removed), err
}

// decided: the statement found the record at its version, or it did not.
func decided(n int64, err error) error {
	switch {
	case err != nil:
		return err
	case n == 0:
		return driver.ErrConflict
	case n > 1:
		return fmt.Errorf("%d rows were written instead of one: does the table have its primary key?", n)
	}
	return nil
}

// writeTries is how often a statement is run that the database took back
// because of others.
const writeTries = 10

// write runs a statement in a transaction of its own and returns how many rows
// it wrote. It is run again only if the database says that it was rolled back.
func (s *Store) write(ctx context.Context, st *statement, args ...any) (int64, error) {
	for try := 1; ; try++ {
		n, err := s.writeOnce(ctx, st, args...)
		if err == nil || !isRolledBack(err) || try == writeTries {
			return n, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(mathrand.N(time.Millisecond << try)):
		}
	}
}

func (s *Store) writeOnce(ctx context.Context, st *statement, args ...any) (int64, error) {
	if s.writing != nil {
		select {
		case s.writing <- struct{}{}:
			defer func() { <-s.writing }()
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if s.closed.Load() {
		return 0, driver.ErrClosed
	}
	n, err := st.affect(ctx, args...)
	if err != nil {
		return 0, plain(ctx, err)
	}
	return n, nil
}

// isDuplicate: MySQL refused to insert, as the key has a row.
func isDuplicate(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && e.Number == 1062
}

// isRolledBack: the database undid the transaction because of another one's, a
// deadlock or a failure to serialize. Nothing of it happened.
func isRolledBack(err error) bool {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number == 1213
	}
	var state interface{ SQLState() string } // of PostgreSQL's drivers
	if errors.As(err, &state) {
		return state.SQLState() == "40001" || state.SQLState() == "40P01"
	}
	return false
}
