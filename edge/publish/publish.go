// Package publish keeps releases of published pages, and which of them is live.
//
// A release is a set of pages that never changes: for each path the SHA-256 of
// its content, its status and its header fields. Contents are objects in a
// bucket under their hash, so that what two releases have in common is there
// once; a release's list of pages is an object, too. What is live, what was, and
// which releases there are is one record, written by compare-and-swap: whoever
// ends at any moment leaves the old state or the new one, and of two who switch
// at once one is told so. doc/formats/releases.md describes both.
//
// A stage and a sweep hold leases in the record: contents are deleted only while
// nobody stages, so that no release ever names what is gone. Leases end by the
// machines' clocks, which may differ by a minute.
//
// Durable is what a method did when it returned nil. All methods may be called
// at once, by any number of machines.
package publish

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gocloud.dev/blob"

	"github.com/dayfly-dev/dayfly/records"
)

// Bounds of a release.
const (
	MaxPages = 20_000
	MaxFile  = 64 << 20  // bytes of one page's content
	MaxBytes = 512 << 20 // of all contents of a release, each counted once
)

const (
	stateKey = "publish/state"
	edgeMark = "publish-edge"

	stageTime = time.Hour // in which a stage has to be done
	sweepTime = 10 * time.Minute
	skew      = time.Minute // by which machines' clocks may differ

	maxHistory = 50
	requests   = 16 // to the bucket at once
)

// Errors that a caller decides on.
var (
	ErrNotFound = errors.New("there is no such release")
	ErrIsLive   = errors.New("the release is live")
	ErrDamaged  = errors.New("what is in the bucket is not what was put there")
	ErrSweeping = errors.New("contents of old releases are being deleted")
	ErrExpired  = errors.New("it took too long, and others may have deleted what it relied on")
)

// Options of a Store.
type Options struct {
	Bucket  *blob.Bucket   // required; the caller closes it
	Prefix  string         // of all keys, such as "publish/"
	Records *records.Store // required
	// Keep is how many releases stay besides the one that is live and the one
	// that was before it, 1–100. Default 10.
	Keep int
	Log  *slog.Logger // default discards
}

// Store is where releases are.
type Store struct {
	opt   Options
	reads atomic.Uint64
}

// New makes a Store. It sends no request.
func New(o Options) (*Store, error) {
	if o.Keep == 0 {
		o.Keep = 10
	}
	if o.Keep < 1 || o.Keep > 100 {
		return nil, fmt.Errorf("publish: Keep is %d; it must be between 1 and 100", o.Keep)
	}
	if o.Bucket == nil || o.Records == nil {
		return nil, errors.New("publish: a bucket and a store of records are required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{opt: o}, nil
}

// Reads is how many objects were read from the bucket.
func (s *Store) Reads() uint64 { return s.reads.Load() }
