// Package driver is the contract between package records and the stores that
// keep records: SQL databases, DynamoDB, S3.
//
// A record is a small value that is written only by whoever saw its newest
// version: what several machines have to agree on without talking to each
// other, as whether a mail was sent. Users import package records. A driver
// implements Store and is judged by package drivertest.
//
// What the contract asks of every driver:
//
//   - Durable. A write that returned nil is on disk, or stored as safely as the
//     service stores anything.
//   - Linearizable by key. A Put or Delete decides and writes in one step,
//     whoever else writes that key, from whatever machine. A Get sees every
//     write that returned nil before it began.
//   - Ambiguity is told. A write that failed with one of the errors below did
//     not happen and never will. With any other error, an ended context
//     included, it may have happened, and may still happen later. The writer
//     finds out by reading; a write of its own on top of what it then read
//     bars the late one for good.
//   - Versions never come back. Each write makes a version that no write of any
//     key had before or will have, so that a record deleted and made again is
//     not taken for the old one.
//   - Validated before. Package records checks keys, marks, sizes, versions and
//     limits, and rounds Expires up.
//   - Concurrent. Every method may be called from any number of goroutines and
//     processes.
//   - No retries of a write, except of one that certainly did not happen.
//   - Nothing retained. A driver copies what it keeps; what it returns is the
//     caller's.
package driver

import (
	"context"
	"errors"
	"time"
)

// Errors a driver returns, bare or wrapped; test with errors.Is.
var (
	// ErrNotFound: there is no record of that key, or it expired.
	ErrNotFound = errors.New("no such record")
	// ErrConflict: the record is not at the version given.
	ErrConflict = errors.New("the record changed since it was read")
	// ErrClosed: the driver was closed.
	ErrClosed = errors.New("the store of records is closed")
)

// Record is a value with what the store keeps beside it.
type Record struct {
	Key   string // 1–512 bytes of UTF-8 without control characters
	Value []byte // 0–256 KiB
	// Version is the store's name for this state of the record, 1–128 bytes of
	// printable ASCII; "" in a Put says that there must be none.
	Version string
	// Expires is when the record ends, by the clock of whoever reads: a whole
	// second in UTC of the years 1970 to 9999; zero: never. The store removes it
	// some time after.
	Expires time.Time
	// Mark is by what List finds the record: "" or 1–64 of [a-z0-9-].
	Mark string
}

// Store keeps records.
type Store interface {
	// Get returns a record, else ErrNotFound.
	Get(ctx context.Context, key string) (Record, error)
	// Put writes r if the record of its key is at r.Version, or if r.Version is
	// "" and there is none; one that expired counts as none. It returns the new
	// version, else ErrConflict. At the version of a record that expired since it
	// was read both are right: nobody wrote between.
	Put(ctx context.Context, r Record) (version string, err error)
	// Delete removes the record if it is at that version, else ErrConflict;
	// ErrConflict also if there is none.
	Delete(ctx context.Context, key, version string) error
	// List returns up to n (1–1000) records that have the mark and did not
	// expire, in no particular order, and where to go on: "" is the beginning
	// and the end. It may return fewer than n though there are more. A record
	// that has the mark throughout the listing is in it once; one that gets or
	// loses it meanwhile may be in it or not.
	List(ctx context.Context, mark, from string, n int) (found []Record, next string, err error)
	// Sweep removes up to n records that expired before now-an-hour, so that a
	// clock that is ahead takes nothing from the others, and returns how many.
	// Where the service does that by itself it returns 0.
	Sweep(ctx context.Context, n int) (int, error)
	// Close ends the driver. Calls after it fail with ErrClosed.
	Close() error
}
