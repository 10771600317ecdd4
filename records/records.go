// Package records keeps small values that several machines agree on without
// talking to each other, as whether a mail was sent: a record is written only
// by whoever saw its newest version.
//
// A *Store is made over a driver: sqlrecords keeps records in SQLite,
// PostgreSQL or MySQL, dynamorecords in DynamoDB, s3records in a bucket,
// memrecords in this process for tests. Package open finds the driver of an
// address. What a write wrote is durable when it returned nil, and Get sees it
// from any machine at once.
//
// Limits, the same over every driver: keys as CheckKey says, values up to
// 256 KiB, marks as CheckMark says, expiry to the second.
package records

import (
	"context"
	"fmt"
	"iter"

	"github.com/dayfly-dev/dayfly/records/driver"
)

// Record is a value with what the store keeps beside it.
type Record = driver.Record

// Store keeps records. Its methods may be called by any number of goroutines.
// A write is never repeated, save by Update after a conflict.
type Store struct {
	driver driver.Store
}

// New makes a Store over a driver, which Close closes.
func New(d driver.Store) *Store { return &Store{d} }

// Get returns the record of a key, else ErrNotFound.
func (s *Store) Get(ctx context.Context, key string) (Record, error) {
	if err := ready(ctx, "get", key); err != nil {
		return Record{}, err
	}
	r, err := s.driver.Get(ctx, key)
	if err != nil {
		return Record{}, &Error{Op: "get", Key: key, Err: err}
	}
	return r, nil
}

// Put writes r if its key's record is at r.Version, or if r.Version is "" and
// there is no record; one that expired counts as none. It returns the new
// version, else ErrConflict. Expires is rounded up to a whole second. After an
// error that is Ambiguous r may have been written.
func (s *Store) Put(ctx context.Context, r Record) (version string, err error) {
	r, err = s.put(ctx, r)
	return r.Version, err
}

// put returns the record as it was written.
func (s *Store) put(ctx context.Context, r Record) (Record, error) {
	if err := ready(ctx, "put", r.Key); err != nil {
		return Record{}, err
	}
	r, err := checked(r)
	if err != nil {
		return Record{}, &Error{Op: "put", Key: r.Key, Err: err, untried: true}
	}
	if r.Version, err = s.driver.Put(ctx, r); err != nil {
		return Record{}, &Error{Op: "put", Key: r.Key, Err: err}
	}
	return r, nil
}

// Delete removes the record of a key if it is at that version, else
// ErrConflict, also if there is none. After an error that is Ambiguous it may
// have been removed.
func (s *Store) Delete(ctx context.Context, key, version string) error {
	if err := ready(ctx, "delete", key); err != nil {
		return err
	}
	err := checkVersion(version)
	if err == nil && version == "" {
		err = &InvalidError{"version", "", "is empty: pass the one that Get, List or Put returned"}
	}
	if err != nil {
		return &Error{Op: "delete", Key: key, Err: err, untried: true}
	}
	return wrap("delete", key, s.driver.Delete(ctx, key, version))
}

// List returns up to n (1–1000) records that have the mark, in no particular
// order, and where to go on: from "" is the beginning, next "" is the end. It
// may return fewer than n though there are more. A record that has the mark
// throughout the listing is in it once; one that gets or loses it meanwhile may
// be in it or not.
func (s *Store) List(ctx context.Context, mark, from string, n int) (found []Record, next string, err error) {
	err = CheckMark(mark)
	if err == nil && (n < 1 || n > MaxList) {
		err = &InvalidError{"limit", fmt.Sprint(n), fmt.Sprintf("is not in 1–%d", MaxList)}
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, "", &Error{Op: "list", Key: shortened(mark), Err: err, untried: true}
	}
	found, next, err = s.driver.List(ctx, mark, from, n)
	return found, next, wrap("list", mark, err)
}

// All goes through the records that have the mark, as List does, reading a
// hundred at a time. An error is the last thing it gives.
func (s *Store) All(ctx context.Context, mark string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for from := ""; ; {
			found, next, err := s.List(ctx, mark, from, 100)
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, r := range found {
				if !yield(r, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			from = next
		}
	}
}

// Sweep removes up to n (1–1000) records that expired more than an hour ago,
// and returns how many; 0 where the service does that by itself. Expired
// records are not found anyway: this gives their space back. Any process may do
// it at any time.
func (s *Store) Sweep(ctx context.Context, n int) (int, error) {
	if n < 1 || n > MaxList {
		return 0, &Error{Op: "sweep", Err: &InvalidError{"limit", fmt.Sprint(n), fmt.Sprintf("is not in 1–%d", MaxList)}, untried: true}
	}
	removed, err := s.driver.Sweep(ctx, n)
	return removed, wrap("sweep", "", err)
}

// Close ends the driver; the records stay. Calls after it fail with ErrClosed.
func (s *Store) Close() error { return wrap("close", "", s.driver.Close()) }

// ready checks what every operation on a key needs.
func ready(ctx context.Context, op, key string) error {
	if err := CheckKey(key); err != nil {
		return &Error{Op: op, Err: err, untried: true}
	}
	if err := ctx.Err(); err != nil {
		return &Error{Op: op, Key: key, Err: err, untried: true}
	}
	return nil
}

func wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Key: key, Err: err}
}
